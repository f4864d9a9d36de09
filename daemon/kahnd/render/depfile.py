r"""Makefile-style dependency lists, as compilers write them (`gcc -MD`, `typst --make-deps`, `latexmk -deps-out`).

`target…: dependency…`, with `\` at a line's end to go on, `\ ` `\#` `\:` for the character itself, `$$` for `$`, and
`#` before a comment. Of what stands behind `|`, ninja's and make's order-only dependencies, the bytes count here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_CONTINUED: Final = re.compile(r"\\(?:\r?\n|[ \t\r\n]*\Z)")
_WORD: Final = re.compile(r"(?:\\[ #:]|[^ \t\r\n\f\v])+")
"""Other white space, such as a no-break space, is part of a name."""
_ESCAPED: Final = re.compile(r"\\([ #:])|\$(\$)")
_TARGETS: Final = re.compile(r"(?:\\.|[^\\\n])*?::?(?=[ \t\r\f\v]|$)")
_ORDER_ONLY: Final = "|"
"""Stands between the dependencies whose bytes count and those that only have to be there."""


def dependencies(text: str) -> list[str]:
    """All that stands right of a colon, in order, each once."""
    return list(dict.fromkeys(name for line in _lines(text) for name in _right_side(line)))


def unread(text: str) -> str | None:
    """The first line in which no target stands, though it is neither empty nor a comment: it is no list."""
    return next((line.strip() for line in _lines(text) if line.strip() and not _TARGETS.match(line)), None)


def _lines(text: str) -> list[str]:
    lines = _CONTINUED.sub(" ", text.removeprefix("\ufeff")).split("\n")
    return [line for line in lines if not line.lstrip().startswith("#")]


def _right_side(line: str) -> Iterator[str]:
    targets = _TARGETS.match(line)
    for word in _WORD.findall(line[targets.end() :] if targets else ""):
        if word.startswith("#"):
            return
        if word != _ORDER_ONLY:
            yield _ESCAPED.sub(lambda match: match[1] or match[2], word)
