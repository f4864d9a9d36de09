"""YAML front matter: what stands between two `---` lines at the very start of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError
from kahnd.render.plain_yaml import YamlError, load_front_matter

MAX_CHARACTERS: Final = 1 << 16
"""The daemon itself reads front matter, so it must not be long."""
_REMEDY: Final = "correct the YAML between the `---` lines"
_OPENED = re.compile(r"---[ \t]*\r?\n")
_CLOSED = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Parts:
    """A page's text, taken apart. `lines` is how many lines of the file stand before the body."""

    body: str
    meta: dict[str, Any] = field(default_factory=dict)
    yaml: str = ""
    lines: int = 0

    def line_of(self, key: str) -> int:
        """The file's line on which a front matter's key stands; 0 where it is not found."""
        found = re.search(rf"^[\"']?{re.escape(key)}[\"']?\s*:", self.yaml, re.MULTILINE)
        return self.yaml.count("\n", 0, found.start()) + 2 if found else 0


def split(text: str, path: str) -> Parts:
    """A page's front matter and body. Raises ProblemError, with the file's line, where it is broken."""
    parts = cut(text, path)
    return replace(parts, meta=_parse(parts.yaml, path)) if parts.lines else parts


def cut(text: str, path: str) -> Parts:
    """As `split`, without the front matter's values. Raises ProblemError where it has no end."""
    opened = _OPENED.match(text)
    if not opened:
        return Parts(text)
    closed = _CLOSED.search(text, opened.end())
    if not closed:
        raise ProblemError(
            Problem("its front matter is not closed", path, 1, "end it with a line `---`; for a rule write `***`")
        )
    body, lines = text[closed.end() :], text.count("\n", 0, closed.end())
    return Parts(body, yaml=text[opened.end() : closed.start()], lines=lines)


def body_in_place(parts: Parts) -> str:
    """The body as a Jinja template whose lines are the file's: a comment stands for the front matter."""
    return f"{{#{parts.lines * chr(10)}#}}{parts.body}" if parts.lines else parts.body


def _parse(source: str, path: str) -> dict[str, Any]:
    if len(source) > MAX_CHARACTERS:
        remedy = "keep long values in a data file, and read it by `data()`"
        raise ProblemError(Problem(f"its front matter is longer than {MAX_CHARACTERS >> 10} KiB", path, 1, remedy))
    try:
        meta = load_front_matter(source)
    except YamlError as error:
        line = error.line + 1
        raise ProblemError(Problem(f"its front matter is broken: {error}", path, line, _remedy(source))) from error
    if meta is None:
        raise ProblemError(Problem("its front matter is no list of `name: value`", path, 2, _remedy(source)))
    return meta


def _remedy(source: str) -> str:
    """What to do; a no-break space looks like any other, and YAML takes it for a letter."""
    found = source.find("\xa0")
    if found < 0:
        return _REMEDY
    return f"write a common space for the no-break space in line {source.count(chr(10), 0, found) + 2}"
