r"""Makefile-style dependency lists, as compilers write them (`gcc -MD`, `typst --make-deps`).

`target…: dependency…`, with `\` at a line's end to go on, `\ ` `\#` `\:` for the character itself and `$$` for `$`.
"""

from __future__ import annotations

import re
from typing import Final

_CONTINUED: Final = re.compile(r"\\\r?\n")
_WORD: Final = re.compile(r"(?:\\[ #:]|[^\s])+")
_ESCAPED: Final = re.compile(r"\\([ #:])|\$(\$)")
_TARGETS: Final = re.compile(r"(?:\\.|[^\\\n])*?:(?=\s|$)")


def dependencies(text: str) -> list[str]:
    """All that stands right of a colon, in order, each once."""
    lines = _CONTINUED.sub(" ", text).splitlines()
    return list(dict.fromkeys(name for line in lines for name in _right_side(line)))


def _right_side(line: str) -> list[str]:
    targets = _TARGETS.match(line)
    rest = line[targets.end() :] if targets else ""
    return [_ESCAPED.sub(lambda match: match[1] or match[2], word) for word in _WORD.findall(rest)]
