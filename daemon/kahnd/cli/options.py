"""What several commands share: options, arguments, and how their helps end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from kahnd.cli.completion import documents

_AS_IT_IS: Final = "\b"
"""Keeps click from filling the lines below."""
F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "in_json", is_flag=True, help="Print JSON.")(command)


def form_options(command: F) -> F:
    """`--json` and `--problems`, of which the last counts: `form` is "json", "problems" or None."""
    words = "Print what is wrong as FILE:LINE:COLUMN: SEVERITY: MESSAGE, for editors."
    as_problems = click.option("--problems", "form", flag_value="problems", help=words)
    return click.option("--json", "form", flag_value="json", help="Print JSON.")(as_problems(command))


def targets_argument(command: F) -> F:
    """`[TARGET]…`."""
    return click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=documents)(command)


def examples(*calls: tuple[str, str]) -> str:
    """What a help ends with: calls, each with what it does."""
    width = max(len(call) for call, _ in calls)
    return "\n".join([_AS_IT_IS, "Examples:", *(f"  {call:<{width}}  {what}" for call, what in calls)])
