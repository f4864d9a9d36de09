"""Validates parsed TOML against msgspec structs, and collects every problem with its line and a remedy.

tomllib returns values without their lines, so `locate` finds them in a text that tomllib has accepted.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec

from kahnd.core.model import Problem
from kahnd.core.project_files import CONFIG_FILE
from kahnd.errors import ConfigError

S = TypeVar("S", bound=msgspec.Struct)

_ELEMENT: Final = re.compile(r" - at `\$\[(\d+)\].*`$")
_TOML_TYPES: Final = {
    "str": "text",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "datetime": "a date",
    "date": "a date",
    "time": "a time",
}


@dataclass(frozen=True)
class ProblemCollector:
    """The problems found so far. `lines` maps keys to their lines, `variables` those set by environment variables."""

    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    variables: Mapping[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: KeyPath, message: str, remedy: str = "") -> None:
        """Add a problem with the value at this path, or with the innermost existing table above it."""
        variable = next((name for name in map(self.variables.get, _ancestors(path)) if name), None)
        if variable is not None:
            self.problems.append(Problem(f"{variable}: {message}", remedy=remedy))
        else:
            self.problems.append(Problem(message, CONFIG_FILE, self.line(path), remedy))

    def line(self, path: KeyPath) -> int:
        """Return the line of this path, or of the innermost existing table above it; 1 if there is none."""
        return next((self.lines[each] for each in _ancestors(path) if each in self.lines), 1)

    def origin_line(self, path: KeyPath) -> int:
        """Return the same line, but 0 for a value that the environment has set."""
        return 0 if any(each in self.variables for each in _ancestors(path)) else self.line(path)

    def raise_any(self) -> None:
        """Raise ConfigError with all problems, in the order of their lines, if there are any."""
        if self.problems:
            raise ConfigError(*sorted(self.problems, key=lambda problem: problem.line))


def to_struct(
    values: Mapping[str, Any], kind: type[S], path: KeyPath, problems: ProblemCollector, also: Collection[str] = ()
) -> S | None:
    """Convert a table's values to a struct, ignoring unknown keys; return None if they do not fit.

    Every unknown key and wrong value is added to the problems. `also` are further valid keys, to suggest names from.
    """
    fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    for key in values.keys() - fields.keys():
        problems.add((*path, key), f'unknown key "{key}"{_of(path)}', nearest(key, {*fields, *also}))
    before = len(problems.problems)
    for key, each in fields.items():
        if key in values:
            check_value(values[key], each.type, (*path, key), problems)
        elif each.required:
            problems.add(path, f'"{key}" is missing{_of(path)}')
    if len(problems.problems) > before:
        return None
    try:
        return msgspec.convert({key: values[key] for key in fields.keys() & values.keys()}, kind)
    except msgspec.ValidationError as error:  # a condition on several values, checked by the struct itself
        problems.add(path, str(error))
        return None


def check_value(value: Any, kind: Any, path: KeyPath, problems: ProblemCollector) -> None:
    """Add a problem if a value is not of this type. The keys of a table within a table are checked one by one."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        to_struct(value, kind, path, problems)
        return
    message = mismatch(value, kind)
    if message is None:
        return
    element = _ELEMENT.search(message)
    position = (*path, int(element[1])) if element else path
    choices = tuple(_choices(kind))
    if choices and message.startswith("Invalid enum value"):
        problems.add(position, f'{_label(position)}: "{value}" is no valid value', nearest(str(value), choices))
    else:
        problems.add(position, f"{_label(position)}: {_in_toml_terms(_ELEMENT.sub('', message))}")


def mismatch(value: Any, kind: Any) -> str | None:
    """Return msgspec's message about a value that is not of this type, or None if it is."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def nearest(word: str, names: Iterable[str], otherwise: str | None = None) -> str:
    """Return a remedy for an unknown name: the closest valid one, or else `otherwise`, or else a list of all."""
    known = {name.lower(): name for name in sorted(names)}
    close = difflib.get_close_matches(word.lower(), known, n=1)
    if close:
        return f'did you mean "{known[close[0]]}"?'
    every = f"known are {', '.join(known.values())}" if known else ""
    return every if otherwise is None else otherwise


def _ancestors(path: KeyPath) -> Iterable[KeyPath]:
    """Yield the path itself, then the tables around it, innermost first."""
    return (path[:length] for length in range(len(path), 0, -1))


def _of(path: KeyPath) -> str:
    if path[0] == "rules":
        return f" in {_label(path)}" if _label(path) else " of the rule"
    return f" in [{path[0]}]"


def _label(path: KeyPath) -> str:
    """Return a path as users write it; for a rule, its key alone, since the line tells which rule."""
    inner = path[2:] if path[0] == "rules" else path
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in inner)
    return text.lstrip(".")


def _choices(kind: Any) -> Iterable[str]:
    """Yield the texts that a type allows, if it is an enumeration."""
    if get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    else:
        for inner in get_args(kind):
            yield from _choices(inner)


def _in_toml_terms(message: str) -> str:
    """Replace Python's names of types in a message of msgspec by TOML's."""

    def names(match: re.Match[str]) -> str:
        return " or ".join(_TOML_TYPES.get(each, each) for each in match[1].split(" | ") if each != "null")

    text = re.sub(r"`([a-z| ]+)`", names, message)
    return text[0].lower() + text[1:]


KeyPath = tuple[str | int, ...]
"""The path to a value from the top: keys of tables, and indexes of lists."""

_WHITESPACE: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY: Final = re.compile(r"""[ \t]*([A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')[ \t]*""")
_STRING: Final = re.compile(
    r'''"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:[^"\\]|\\.)*"|'[^']*\'''',
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


def locate(text: str) -> dict[KeyPath, int]:
    """Return the line (1-based) where each key, table and list element of a valid TOML text first appears."""
    return _Locator(text.replace("\r\n", "\n")).run()


class _Locator:
    """Walks over the text once; `_at` is the position reached."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._at = 0
        self._lines: dict[KeyPath, int] = {}
        self._last_indexes: dict[KeyPath, int] = {}

    def run(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._key_value(table)
            self._skip()
        return self._lines

    def _skip(self) -> None:
        self._at = self._expect(_WHITESPACE).end()

    def _expect(self, pattern: re.Pattern[str]) -> re.Match[str]:
        match = pattern.match(self._text, self._at)
        if match is None:
            message = f"not TOML at offset {self._at}"
            raise ValueError(message)
        return match

    def _header(self) -> KeyPath:
        """Read `[a.b]` or `[[a.b]]`, and return the path of the table that it begins."""
        start = self._at
        is_array = self._text.startswith("[[", start)
        self._at += 2 if is_array else 1
        *outer, last = self._key()
        self._at += 2 if is_array else 1
        path = self._enter((), outer, start)
        path = (*path, last) if is_array else self._enter(path, [last], start)
        if is_array:
            self._last_indexes[path] = self._last_indexes.get(path, -1) + 1
            self._record(path, start)
            path = (*path, self._last_indexes[path])
            self._record(path, start)
        return path

    def _enter(self, path: KeyPath, keys: list[str], start: int) -> KeyPath:
        """Extend a path by these keys; an array of tables is entered at its last element."""
        for key in keys:
            path = (*path, key)
            self._record(path, start)
            if path in self._last_indexes:
                path = (*path, self._last_indexes[path])
        return path

    def _key(self) -> list[str]:
        parts = []
        while True:
            match = self._expect(_KEY)
            self._at = match.end()
            parts.append(_unquote(match[1]))
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _key_value(self, table: KeyPath) -> None:
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
        while self._has_element("]"):
            self._record((*path, index), self._at)
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        while self._has_element("}"):
            self._key_value(path)

    def _has_element(self, closing: str) -> bool:
        """Move past a bracket or comma, and the closing bracket too if no element follows; return whether one does."""
        self._skip()
        if self._text[self._at] in "[{,":
            self._at += 1
            self._skip()
        more = self._text[self._at] != closing
        self._at += 0 if more else 1
        return more

    def _record(self, path: KeyPath, start: int) -> None:
        self._lines.setdefault(path, bisect_right(self._starts, start))


def _unquote(key: str) -> str:
    if key[0] not in "\"'":
        return key
    value: str = tomllib.loads(f"key = {key}")["key"]
    return value
