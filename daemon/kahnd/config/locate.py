"""Where in a TOML text each key and each list element stands: tomllib tells values, but not their lines.

Works on text that tomllib has already accepted, and so checks nothing itself.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Final

KeyPath = tuple[str | int, ...]
"""The way to a value from the top: keys of tables, and indexes of lists."""

_BLANK: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')[ \t]*""")
_STRING: Final = re.compile(
    r'''"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:[^"\\]|\\.)*"|'[^']*\'''',
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def locate(text: str) -> dict[KeyPath, int]:
    """The line (1-based) where each key, table and list element of a valid TOML text first stands."""
    return _Locator(text.replace("\r\n", "\n")).run()


class _Locator:
    """One walk over the text; `_at` is the place reached."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._at = 0
        self._found: dict[KeyPath, int] = {}
        self._tables: dict[KeyPath, int] = {}

    def run(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        return self._found

    def _skip(self) -> None:
        self._at = self._expect(_BLANK).end()

    def _expect(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            message = f"not TOML at offset {self._at}"
            raise ValueError(message)
        return match

    def _header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`: the table that what follows belongs to."""
        start = self._at
        many = self._text.startswith("[[", start)
        self._at += 2 if many else 1
        *outer, last = self._key()
        self._at += 2 if many else 1
        path = self._enter((), outer, start)
        path = (*path, last) if many else self._enter(path, [last], start)
        if many:
            self._tables[path] = self._tables.get(path, -1) + 1
            self._mark(path, start)
            path = (*path, self._tables[path])
            self._mark(path, start)
        return path

    def _enter(self, path: KeyPath, keys: list[str], start: int) -> KeyPath:
        """Down by these keys; in an array of tables, into the last of them."""
        for key in keys:
            path = (*path, key)
            self._mark(path, start)
            if path in self._tables:
                path = (*path, self._tables[path])
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            match = self._expect(_KEY)
            self._at = match.end()
            parts.append(_unquoted(match[1]))
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _pair(self, table: KeyPath) -> None:
        start = self._at
        path = self._enter(table, self._key(), start)
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self._inline_table(path)
        else:
            self._at = self._expect(_STRING if opening in "\"'" else _SCALAR).end()

    def _list(self, path: KeyPath) -> None:
        index = 0
        while self._more("]"):
            self._mark((*path, index), self._at)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        while self._more("}"):
            self._pair(path)

    def _more(self, closing: str) -> bool:
        """Past the bracket or comma here; whether another element follows, or else past the closing bracket."""
        self._skip()
        if self._text[self._at] in "[{,":
            self._at += 1
            self._skip()
        more = self._text[self._at] != closing
        self._at += 0 if more else 1
        return more

    def _mark(self, path: KeyPath, start: int) -> None:
        self._found.setdefault(path, bisect_right(self._starts, start))


def _unquoted(key: str) -> str:
    if key[0] not in "\"'":
        return key
    value: str = tomllib.loads(f"key = {key}")["key"]
    return value
