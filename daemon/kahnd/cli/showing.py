"""An answer in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from kahnd.cli import problems, report
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json

Json = dict[str, Any]


def warn_of_config(answer: Json) -> None:
    """On standard error, that a daemon answers by an earlier kahnd.toml: standard output is the answer's alone."""
    for line in report.config(answer):
        click.echo(line, err=True)


def show(place: Place, answer: Json, words: Callable[[Json], Sequence[str]], form: str | None) -> None:
    """As JSON, as problems for editors (where nothing is wrong, nothing), or in words."""
    if form == "json":
        show_json(answer)
        return
    for line in problems.of_answer(place.root, answer) if form == "problems" else words(answer):
        click.echo(line)
