"""Blocks of Markdown in a page, as values and as they are written: extensions that rules turn on, and headings.

A page is one block of HTML, which Markdown leaves alone; each of these closes it, and opens the next.
"""

from __future__ import annotations

from urllib.parse import quote

from agreement.values import Value


class Heading(Value, frozen=True):
    word: str


class Wiki(Value, frozen=True):
    """A link to a page by a part of its path."""

    name: str


class Contents(Value, frozen=True):
    """The place of the table of contents."""


class Code(Value, frozen=True):
    """Code from a file: between the marks of an anchor, or in a range of lines."""

    target: str
    anchor: str = ""
    lines: str = ""


class Drawing(Value, frozen=True):
    """A fence in a language that a hook may draw."""

    word: str


class Note(Value, frozen=True):
    word: str


class Formula(Value, frozen=True):
    word: str


class Picture(Value, frozen=True):
    """An image, whose way is resolved like a link's."""

    target: str


Block = Heading | Wiki | Contents | Code | Drawing | Note | Formula | Picture
BEFORE, AFTER = "</div>\n\n", "\n\n<div>"


def written(block: Block) -> str:  # noqa: PLR0911 - a line a block
    """Returns a block as Markdown."""
    match block:
        case Heading(word):
            return f"## {word}"
        case Wiki(name):
            return f"[[{name}]]"
        case Contents():
            return "[TOC]"
        case Code(target, anchor, lines):
            part = f'anchor="{anchor}"' if anchor else f'lines="{lines}"'
            return f'```words file="{target}" {part}\n```'
        case Drawing(word):
            return f"```draw\n{word}\n```"
        case Note(word):
            return f'!!! note "{word}"\n    {word}'
        case Formula(word):
            return f"${word} < 1$"
        case Picture(target):
            return f"![x]({quote(target)})"
