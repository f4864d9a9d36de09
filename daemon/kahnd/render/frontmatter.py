"""YAML front matter: what stands between two `---` lines at the very start of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any, Final

import yaml

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C loader is some ten times faster; it is not part of every build of PyYAML."""

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
    remedy = "correct the YAML between the `---` lines"
    try:
        meta = yaml.load(source, Loader=LOADER)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError as error:
        raise ProblemError(
            Problem(f"its front matter is broken: {yaml_reason(error)}", path, _line(error), remedy)
        ) from error
    except (ValueError, RecursionError) as error:
        raise ProblemError(Problem(f"its front matter is broken: {error}", path, 1, remedy)) from error
    if meta is None:
        return {}
    if not isinstance(meta, dict):
        raise ProblemError(Problem("its front matter is no list of `name: value`", path, 2, remedy))
    return {str(key): value for key, value in meta.items()}


def yaml_reason(error: yaml.YAMLError) -> str:
    """What is wrong, in one line."""
    return getattr(error, "problem", None) or str(error).partition("\n")[0]


def yaml_line(error: yaml.YAMLError) -> int:
    """The line of the YAML text on which it is wrong, from 1; 0 where unknown."""
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 0


def _line(error: yaml.YAMLError) -> int:
    return yaml_line(error) + 1
