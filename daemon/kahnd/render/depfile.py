r"""Makefile-style dependency lists, as compilers write them (`gcc -MD`, `typst --make-deps`, `latexmk -deps-out`).

`target…: dependency…`, with `\` at a line's end to go on, `\ ` `\#` `\:` for the character itself, `$$` for `$`, and
`#` before what is only said to people.
"""

from __future__ import annotations

import re
from typing import Final

_CONTINUED: Final = re.compile(r"\\\r?\n")
_WORD: Final = re.compile(r"(?:\\[ #:]|[^\s])+")
_ESCAPED: Final = re.compile(r"\\([ #:])|\$(\$)")
_TARGETS: Final = re.compile(r"(?:\\.|[^\\\n])*?::?(?=\s|$)")


def dependencies(text: str) -> list[str]:
    """All that stands right of a colon, in order, each once."""
    return list(dict.fromkeys(name for line in _lines(text) for name in _right_side(line)))


def unread(text: str) -> str | None:
    """The first line in which no target stands, though it is neither empty nor said to people: it is no list."""
    return next((line.strip() for line in _lines(text) if line.strip() and not _TARGETS.match(line)), None)


def _lines(text: str) -> list[str]:
    lines = _CONTINUED.sub(" ", text.removeprefix("\ufeff")).splitlines()
    return [line for line in lines if not line.lstrip().startswith("#")]


def _right_side(line: str) -> list[str]:
    targets = _TARGETS.match(line)
    rest = line[targets.end() :] if targets else ""
    return [_ESCAPED.sub(lambda match: match[1] or match[2], word) for word in _WORD.findall(rest)]
