"""YAML front matter: what stands between two `---` lines at the very start of a page."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Any, Final

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError
from kahnd.render.plain_yaml import YamlError, is_mapping, load_front_matter

MAX_CHARACTERS: Final = 1 << 16
"""The daemon itself reads front matter, so it must not be long."""
_REMEDY: Final = "correct the YAML between the `---` lines"
_OPENED: Final = re.compile(r"---[ \t]*\r?\n")
_CLOSED: Final = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_UNSEEN: Final = "".join(map(chr, (0xA0, 0xAD, 0x1680, *range(0x2000, 0x200C), 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF)))
"""Blanks that YAML does not take for blanks, and characters that nobody sees."""
_KEY: Final = re.compile(
    rf"""[ \t{_UNSEEN}]*(?:-[ ]+)?(?:[\w$.-]+|"[^"\n]*"|'[^'\n]*')[ \t{_UNSEEN}]*:(?:[\s{_UNSEEN}]|\Z)"""
)
_COMMENTED_KEY: Final = re.compile(r"[ \t]*#+[ \t]*[\w$.-]+[ \t]*:(?:\s|\Z)")
_LIKE_A_MARK: Final = re.compile(rf"[{_UNSEEN}]*---[ \t{_UNSEEN}]*\r?\n")
_JINJA: Final = ("{{", "{%", "{#")


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
    if not parts.lines:
        return parts
    try:
        meta = _parse(parts.yaml, path)
    except ProblemError:
        _refuse_unseen(parts.yaml, path)
        raise
    if any(key != key.strip(f" {_UNSEEN}") for key in meta if not key.isascii()):
        _refuse_unseen(parts.yaml, path)
    return replace(parts, meta=meta)


def cut(text: str, path: str) -> Parts:
    """As `split`, without the front matter's values. Raises ProblemError where it has no end.

    The page has none, and the `---` is a rule, where Markdown follows: no `key:` in the next line, and no YAML mapping
    up to the next such mark.
    """
    opened = _OPENED.match(text)
    if not opened:
        if (mark := _LIKE_A_MARK.match(text)) and _begins_with_key(text[mark.end() :]):
            _refuse_unseen(text, path, above=0)
        return Parts(text)
    closed = _CLOSED.search(text, opened.end())
    source = text[opened.end() : closed.start() if closed else None]
    if not _begins_with_key(source) and not (closed and _is_mapping(source)):
        return Parts(text)
    if not closed:
        _refuse_unseen(source, path)
        raise ProblemError(
            Problem("its front matter is not closed", path, 1, "end it with a line `---`; for a rule write `***`")
        )
    body, lines = text[closed.end() :], text.count("\n", 0, closed.end())
    return Parts(body, yaml=source, lines=lines)


def _begins_with_key(source: str) -> bool:
    """Whether the first line is a `key:`; comments may stand before it."""
    lines = source[:MAX_CHARACTERS].split("\n")
    return _KEY.match(next((line for line in lines if not line.startswith("#")), "")) is not None


def _is_mapping(source: str) -> bool:
    """Whether it is YAML with `key: value`, or none at all. A comment that is no such thing is Markdown's heading."""
    if len(source) > MAX_CHARACTERS:
        return False
    lines = [line for line in source.split("\n") if line.strip()]
    if all(map(_COMMENTED_KEY.match, lines)):
        return True
    if source.lstrip().startswith(_JINJA):
        return False
    return is_mapping(source)


def _refuse_unseen(source: str, path: str, *, above: int = 1) -> None:
    """Raises ProblemError where a character that nobody sees stands where it matters to YAML.

    That is before a key, at its end, after its colon, or beside a `---`. `above` is how many of the file's lines stand
    before this text.
    """
    for number, line in enumerate(source[:MAX_CHARACTERS].split("\n"), start=above + 1):
        if (column := _unseen_in(line)) is None:
            continue
        message = f"its front matter has a {_name_of(line[column])} in line {number}, column {column + 1}"
        raise ProblemError(Problem(message, path, number, "replace it by a blank, or delete it"))


def _unseen_in(line: str) -> int | None:
    """Where such a character stands in a line."""
    start = len(line) - len(line.lstrip(" \t-"))
    if line[start : start + 1] in _UNSEEN and line[start:]:
        return start
    key, colon, value = line.partition(":")
    if not colon or any(each in key for each in "'\"#"):
        return None
    end = len(key.rstrip(" \t"))
    if key[:end] and key[end - 1] in _UNSEEN:
        return end - 1
    return len(key) + 1 if value and value[0] in _UNSEEN else None


def _name_of(character: str) -> str:
    code = f"U+{ord(character):04X}"
    name = "byte order mark" if character == "\ufeff" else unicodedata.name(character, "character").lower()
    return f"{name} ({code})"


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
