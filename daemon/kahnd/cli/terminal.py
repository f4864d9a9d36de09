"""Colours where there is a terminal to show them, and JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import click

from kahnd.core.written import lines_of, written_out
from kahnd.service import colours


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """The text in a colour, if the stream (standard output by default) is one that wants colours."""
    shown = has_colours(sys.stdout if stream is None else stream)
    return click.style(text, fg=colour) if shown else text


def has_colours(stream: TextIO) -> bool:
    """Whether colours are welcome there."""
    return colours.wanted(terminal=stream.isatty())


def tame(text: str) -> str:
    """A name or a message as one line that steers no terminal: see `written_out`."""
    return written_out(text)


def tame_lines(text: str, *names: str | None) -> list[str]:
    """A message or a program's own words, line by line; a line break in one of these names ends no line.

    Lines after the first are to be indented: none of them can then be taken for kahnd's own.
    """
    for name in filter(None, names):
        text = text.replace(name, tame(name))
    return lines_of(text)


def show_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None))


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of cells as aligned lines; the last cell of a row is as long as it likes."""
    listed = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in listed), strict=True)]
    return ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]).rstrip() for row in listed]
