"""YAML front matter: the text between two `---` lines at the very start of a page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kahnd.core.model import Problem
from kahnd.core.rules import NEVER
from kahnd.render.data.ordering import instant
from kahnd.render.data.parse import INVISIBLE, REPLACE_INVISIBLE, first_invisible
from kahnd.render.data.plain_yaml import YamlError, is_mapping, load_front_matter
from kahnd.render.files import ProblemError, decode

MAX_CHARACTERS: Final = 1 << 16
"""The limit on front matter, which the daemon itself reads."""
_REMEDY: Final = "correct the YAML between the `---` lines"
_OPENED: Final = re.compile(r"---[ \t]*\r?\n")
_CLOSED: Final = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_KEY: Final = re.compile(
    rf"""[ \t{INVISIBLE}]*(?:-[ ]+)?(?:[\w$.-]+|"[^"\n]*"|'[^'\n]*')[ \t{INVISIBLE}]*:(?:[\s{INVISIBLE}]|\Z)"""
)
_COMMENTED_KEY: Final = re.compile(r"[ \t]*#+[ \t]*[\w$.-]+[ \t]*:(?:\s|\Z)")
_ALMOST_OPENED: Final = re.compile(rf"[{INVISIBLE}]*---[ \t{INVISIBLE}]*\r?\n")
_JINJA: Final = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class Parts:
    """A page's text, split into front matter and body. `lines` is the number of lines before the body."""

    body: str
    meta: dict[str, Any] = field(default_factory=dict)
    yaml: str = ""
    lines: int = 0

    def line_of(self, key: str) -> int:
        """The file's line of a key in the front matter; 0 if it is not found."""
        found = re.search(rf"^[\"']?{re.escape(key)}[\"']?\s*:", self.yaml, re.MULTILINE)
        return self.yaml.count("\n", 0, found.start()) + 2 if found else 0


def appears_at(meta: Mapping[str, Any]) -> int | None:
    """The time, in seconds since 1970, before which a page is not rendered; NEVER for a draft, None if it has none."""
    if meta.get("draft") is True:
        return NEVER
    date = instant(meta.get("date"))
    return None if date is None else math.ceil(date.timestamp())


def appearance_of(content: bytes, path: str) -> int | None:
    """The same for a page's bytes; None if they are broken, which its rendering reports."""
    try:
        return appears_at(split(decode(content, path), path).meta)
    except ProblemError:
        return None


def split(text: str, path: str) -> Parts:
    """A page's front matter and body. Raises ProblemError, with the file's line, if the front matter is broken."""
    parts = cut(text, path)
    if not parts.lines:
        return parts
    try:
        meta = _parse(parts.yaml, path)
    except ProblemError:
        _refuse_invisible(parts.yaml, path)
        raise
    if any(key != key.strip(f" {INVISIBLE}") for key in meta if not key.isascii()):
        _refuse_invisible(parts.yaml, path)
    return replace(parts, meta=meta)


def cut(text: str, path: str) -> Parts:
    """As `split`, without the front matter's values. Raises ProblemError if the front matter is not closed.

    In a text without line feeds, carriage returns end the lines.

    A `---` that Markdown follows is a thematic break: the next line has no `key:`, and there is no YAML mapping up to
    the next `---`.
    """
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")
    opened = _OPENED.match(text)
    if not opened:
        if (mark := _ALMOST_OPENED.match(text)) and _begins_with_key(text[mark.end() :]):
            _refuse_invisible(text, path, above=0)
        return Parts(text)
    closed = _CLOSED.search(text, opened.end())
    source = text[opened.end() : closed.start() if closed else None]
    if not _begins_with_key(source) and not (closed and _is_mapping(source)):
        return Parts(text)
    if not closed:
        _refuse_invisible(source, path)
        raise ProblemError(
            Problem("its front matter is not closed", path, 1, "end it with a line `---`; for a rule write `***`")
        )
    body, lines = text[closed.end() :], text.count("\n", 0, closed.end())
    return Parts(body, yaml=source, lines=lines)


def _begins_with_key(source: str) -> bool:
    """Tell whether the first line that is no comment is a `key:`."""
    if not source.startswith("#"):
        return _KEY.match(source) is not None
    lines = source[:MAX_CHARACTERS].split("\n")
    return _KEY.match(next((line for line in lines if not line.startswith("#")), "")) is not None


def _is_mapping(source: str) -> bool:
    """Tell whether it is a YAML mapping, or empty but for commented keys; any other comment is a Markdown heading."""
    if len(source) > MAX_CHARACTERS:
        return False
    lines = [line for line in source.split("\n") if line.strip()]
    if all(map(_COMMENTED_KEY.match, lines)):
        return True
    if source.lstrip().startswith(_JINJA):
        return False
    return is_mapping(source)


def _refuse_invisible(source: str, path: str, *, above: int = 1) -> None:
    """Raise ProblemError for an invisible character before a key, at its end, after its colon, or beside a `---`.

    `above` is the number of lines before this text in the file.
    """
    if found := first_invisible(source[:MAX_CHARACTERS]):
        line = above + found.line
        message = f"its front matter has a {found.name} in line {line}, column {found.column}"
        raise ProblemError(Problem(message, path, line, REPLACE_INVISIBLE))


def _parse(source: str, path: str) -> dict[str, Any]:
    if len(source) > MAX_CHARACTERS:
        remedy = "keep long values in a data file, and read it by `data()`"
        raise ProblemError(Problem(f"its front matter is longer than {MAX_CHARACTERS >> 10} KiB", path, 1, remedy))
    try:
        meta = load_front_matter(source)
    except YamlError as error:
        line = error.line + 1
        raise ProblemError(Problem(f"its front matter is broken: {error}", path, line, _REMEDY)) from error
    if meta is None:
        raise ProblemError(Problem("its front matter is no list of `name: value`", path, 2, _REMEDY))
    return meta
