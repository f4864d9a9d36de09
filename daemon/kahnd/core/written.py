"""Text that comes from names, programs and messages, made safe to show: on a terminal, in a log, in a notification."""

from __future__ import annotations

import re
from typing import Final

_CONTROLS: Final = "\x00-\x1f\x7f-\x9f"
_BIDIRECTIONAL: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""They change the order in which a terminal shows what follows (Unicode's Bidi_Control)."""
_BREAKS: Final = "\u2028\u2029"
_HALVES: Final = "\ud800-\udfff"
"""Bytes of a file name that is not UTF-8; they can't be encoded."""
_UNSAFE: Final = re.compile(f"[{_CONTROLS}{_BIDIRECTIONAL}{_BREAKS}{_HALVES}]")
_END_OF_LINE: Final = re.compile(r"\r\n|\n")


def written_out(text: str) -> str:
    r"""The text as one line, with each character that would steer a terminal as its escape: `\n`, `\x1b`, `\u202e`."""
    return _UNSAFE.sub(_escape, text)


def lines_of(text: str) -> list[str]:
    """The lines of a program's own words, each written out; tabs stay, since they only move the cursor on."""
    lines = _END_OF_LINE.split(text.rstrip("\r\n"))
    return ["\t".join(map(written_out, line.split("\t"))) for line in lines] if text else []


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
