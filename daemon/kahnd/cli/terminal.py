"""Writes to the terminal: colours, escaped names, aligned columns, JSON and the progress bar."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

import click

from kahnd.core.text import escape_controls, escape_lines
from kahnd.telemetry.text_stream import shows_colours

if TYPE_CHECKING:
    from kahnd.api.client import OnProgress, Progress


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Returns the text in a colour, if the stream (standard output by default) shows colours."""
    shown = shows_colours(terminal=(sys.stdout if stream is None else stream).isatty())
    return click.style(text, fg=colour) if shown else text


def printable_lines(text: str, *names: str | None) -> list[str]:
    """Returns a message or a program's output as escaped lines. Line breaks within one of `names` are escaped too.

    Callers indent all lines after the first, so that none of them can be taken for kahnd's own.
    """
    for name in filter(None, names):
        text = text.replace(name, escape_controls(name))
    return escape_lines(text)


def print_json(value: Any) -> None:
    """Prints a JSON document on standard output, indented on a terminal."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None))


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Returns rows of cells as lines with aligned columns. The last cell of a row may have any length."""
    listed = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in listed), strict=True)]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in listed]


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """Shows a progress bar on standard error, if that is a terminal. Yields the function that updates it."""
    if not sys.stderr.isatty():
        yield _ignore
        return
    from rich.console import Console  # noqa: PLC0415 (slow to import, and seldom needed)
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    words = TextColumn("{task.description}", markup=False)
    with Bar(BarColumn(), MofNCompleteColumn(), words, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda progress: bar.update(
            task, completed=progress.done, total=progress.total, description=escape_controls(progress.document)
        )


def _ignore(_progress: Progress) -> None:
    """Shows nothing: standard error is not a terminal."""
