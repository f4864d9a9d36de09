"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "in_json", is_flag=True, help="Print JSON.")(command)


def targets_argument(command: F) -> F:
    """`[TARGET]…`."""
    return click.argument("targets", nargs=-1, metavar="[TARGET]...")(command)
