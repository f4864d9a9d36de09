"""Parses data files: csv, tsv, json, toml, yaml."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from kahnd.core.model import Problem
from kahnd.render.data.plain_yaml import MAX_DEPTH, MAX_DIGITS, YamlError
from kahnd.render.data.plain_yaml import load as load_yaml
from kahnd.render.files import ProblemError, decode

T = TypeVar("T")
INVISIBLE: Final = "".join(
    map(chr, (0xA0, 0xAD, 0x1680, *range(0x2000, 0x200C), 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF))
)
"""White space that is none to YAML, and invisible characters."""
REPLACE_INVISIBLE: Final = "replace it by a blank, or delete it"
_TOKEN: Final = re.compile(rf'"(?:[^"\\]|\\.)*"|-?\d{{{MAX_DIGITS + 1},}}|-?Infinity|NaN', re.DOTALL)
_MARK_OR_TEXT: Final = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*+")\s*:|"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_TOO_DEEP: Final = f"it is nested more than {MAX_DEPTH} deep"
_HALF: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
"""An escape: a surrogate pair, a single surrogate (the group), or any other."""


def parse(content: bytes, path: str) -> Any:
    """The value a data file holds, by its ending; a csv or tsv gives a list of dicts by its first line's names.

    Raises ProblemError with the data file's name and line.
    """
    ending = posixpath.splitext(path)[1].lower()
    parser = _PARSERS.get(ending)
    if parser is None:
        known = ", ".join(each[1:] for each in _PARSERS)
        raise ProblemError(Problem(f"data of an unknown kind: {ending or 'no ending'}", path, 0, f"known are {known}"))
    return parser(decode(content, path), path)


def _broken(path: str, line: int, reason: str) -> ProblemError:
    return ProblemError(Problem(f"not readable as data: {reason}", path, line, "correct the file"))


def _sheet(text: str, path: str, separator: str = "") -> list[dict[str, str]]:
    try:
        return rows_of(text, separator)
    except SheetError as error:
        raise _broken(path, error.line, str(error)) from error


def _json(text: str, path: str) -> Any:
    if ("\\ud" in text or "\\uD" in text) and (half := next((each for each in _HALF.finditer(text) if each[1]), None)):
        raise _broken(path, _line(text, half.start()), f"{half[1]} is half a character")
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise _broken(path, error.lineno, error.msg) from error
    except _DuplicateError as error:
        key, line = _duplicate(text)
        raise _broken(path, line, f"`{key}` stands there twice") from error
    except RecursionError as error:
        raise _broken(path, _line_of_depth(text), _TOO_DEEP) from error
    except ValueError as error:
        raise _broken(path, _line_of_number(text), str(error)) from error
    return _shallow(value, text, path) if isinstance(value, dict | list) else value


class _DuplicateError(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateError
    return found


def _duplicate(text: str) -> tuple[str, int]:
    """The first duplicate key of an object in valid JSON, and its line; empty if there is none."""
    objects: list[set[str]] = []
    for token in _MARK_OR_TEXT.finditer(text):
        match token[0][0]:
            case "{" | "[":
                objects.append(set())
            case "}" | "]":
                objects.pop()
            case _ if token["key"]:
                key = json.loads(token["key"])
                if key in objects[-1]:
                    return key, _line(text, token.start())
                objects[-1].add(key)
    return "", 0


def _line_of_depth(text: str) -> int:
    """The line on which brackets exceed MAX_DEPTH; 0 if none do."""
    depth = 0
    for token in _MARK_OR_TEXT.finditer(text):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > MAX_DEPTH:
            return _line(text, token.start())
    return 0


def _shallow(value: T, text: str, path: str) -> T:
    """The value. Raises ProblemError if it is nested too deep for templates to process."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [each for one in level for each in _items(one) if isinstance(each, dict | list)]
        if not level:
            return value
    raise _broken(path, _line_of_depth(text), _TOO_DEEP)


def _items(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON: write null, or a text")


def _line_of_number(text: str) -> int:
    """The line of the first number that can't be read; 0 if there is none."""
    tokens = (found.start() for found in _TOKEN.finditer(text) if found[0][0] != '"')
    place = next(tokens, None)
    return 0 if place is None else _line(text, place)


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _toml(text: str, path: str) -> dict[str, Any]:
    try:
        value = tomllib.loads(text)
    except RecursionError as error:
        raise _broken(path, 0, _TOO_DEEP) from error
    except ValueError as error:
        place = re.search(r"at line (\d+)", str(error))
        at_end = text.count("\n") + 1 if "end of document" in str(error) else 0
        line = int(place[1]) if place else at_end or _line_of_number(text)
        raise _broken(path, line, str(error)) from error
    return _shallow(value, "", path)


def _yaml(text: str, path: str) -> Any:
    try:
        return load_yaml(text)
    except YamlError as error:
        if found := first_invisible(text):
            message = f"not readable as data: it has a {found.name} in column {found.column}"
            raise ProblemError(Problem(message, path, found.line, REPLACE_INVISIBLE)) from error
        raise _broken(path, error.line, str(error)) from error


_PARSERS: Final[dict[str, Callable[[str, str], Any]]] = {
    ".csv": _sheet,
    ".tsv": partial(_sheet, separator="\t"),
    ".json": _json,
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
}


_OTHERS: Final = (";", "\t")
_SEPARATOR_LINE: Final = re.compile(r"\"?sep=([^\"\r\n])\"?[ \t]*(?:\r\n?|\n|\Z)", re.IGNORECASE)
_SHOWN: Final = 20
_NAMES: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
_TELL: Final = "name the separator in a line above, `sep=;`, or `sep=,` for one column"


class SheetError(ValueError):
    """A csv or tsv file can't be read; `line` counts from 1, and is 0 if unknown."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


def rows_of(text: str, separator: str = "") -> list[dict[str, str]]:
    """The rows, each by column. Raises SheetError, also if more than one separator fits.

    If no separator is given, a first line such as `sep=;` names it. Otherwise it is the comma, semicolon or tab that
    splits all lines into the same number of values. A first line with none of them is one column.
    """
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SheetError("it has a NUL byte: it is damaged, or no UTF-8", line)
    separator_line = _SEPARATOR_LINE.match(text)
    if separator_line:
        return _named(_Lines(text[separator_line.end() :], separator_line[1], 1))
    return _named(_Lines(text, separator) if separator else _divided(text))


def _divided(text: str) -> _Lines:
    """The lines, split by the separator that fits them."""
    first = re.match(r"[^\r\n]*", text)
    others = [each for each in _OTHERS if first and each in first[0]]
    if not others:
        return _Lines(text, ",")
    found = [lines for each in (",", *others) if (lines := _table(text, each))]
    if found and (len(found) == 1 or not found[0].rows):
        return found[0]
    if found:
        names = " and ".join(_NAMES[each.separator] for each in found)
        raise SheetError(f"{names} would divide it alike: {_TELL}", 1)
    by_comma = _Lines(text, ",")
    if len(by_comma.names) == 1:
        for each in others:
            _refuse_uneven(text, each)
    return by_comma


def _refuse_uneven(text: str, separator: str) -> None:
    """Raise SheetError if the separator splits the first line and some others, but not all alike."""
    try:
        lines = _Lines(text, separator)
    except SheetError:
        return
    if len(lines.names) > 1 and any(len(row) > 1 for row, _ in lines.rows):
        row, line = next(each for each in lines.rows if len(each[0]) != len(lines.names))
        raise SheetError(f"{_values(row)} by {_NAMES[separator]} for {_columns(lines)}: {_TELL}", line)


def _table(text: str, separator: str) -> _Lines | None:
    """The lines split by this separator, if all have the same number of values, more than one."""
    try:
        lines = _Lines(text, separator)
    except SheetError:
        return None
    return lines if len(lines.names) > 1 and all(len(row) == len(lines.names) for row, _ in lines.rows) else None


class _Lines:
    """The rows of a csv or tsv file: the names in the first, and the others with the line that each begins on."""

    def __init__(self, text: str, separator: str, above: int = 0) -> None:
        reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
        self.separator = separator
        self.above = above
        self.rows: list[tuple[list[str], int]] = []
        before = csv.field_size_limit(max(len(text), 1))  # no limit on cells; the setting is the whole process's
        line = 1
        try:
            self.names = next(reader, [])
            line = reader.line_num + 1
            for row in reader:
                if row:
                    self.rows.append((row, above + line))
                line = reader.line_num + 1
        except csv.Error as error:
            unclosed = "unexpected end" in str(error)
            reason = "a quotation mark in the row that begins here is not closed" if unclosed else str(error)
            raise SheetError(reason, above + (line if unclosed else reader.line_num)) from error
        finally:
            csv.field_size_limit(before)


def _named(lines: _Lines) -> list[dict[str, str]]:
    for row, line in lines.rows:
        if len(row) != len(lines.names):
            raise SheetError(f"{_values(row)} for {_columns(lines)}", line)
    kept = _kept(lines)
    if len(kept) == len(lines.names):
        return [dict(zip(lines.names, row, strict=True)) for row, _ in lines.rows]
    return [{lines.names[place]: row[place] for place in kept} for row, _ in lines.rows]


def _columns(lines: _Lines) -> str:
    names = ", ".join(each if len(each) <= _SHOWN else f"{each[:_SHOWN]}…" for each in lines.names[:_SHOWN])
    more = ", …" if len(lines.names) > _SHOWN else ""
    return f"{_counted(len(lines.names), 'column')} ({names}{more})"


def _values(row: list[str]) -> str:
    return _counted(len(row), "value")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _kept(lines: _Lines) -> list[int]:
    """The indexes of columns that are kept: spreadsheets leave columns at the end without names and values."""
    unnamed = [place for place, name in enumerate(lines.names) if not name]
    empty = {place for place in unnamed if len(unnamed) > 1 and not any(row[place] for row, _ in lines.rows)}
    kept = [place for place in range(len(lines.names)) if place not in empty]
    twice = [name for name, count in Counter(lines.names[place] for place in kept).items() if count > 1]
    if twice:
        fault = f"two columns are named {twice[0]!r}" if twice[0] else "two columns have no name"
        raise SheetError(f"{fault}: give each a name of its own", lines.above + 1)
    return kept


@dataclass(frozen=True, slots=True)
class Invisible:
    """An invisible character: its name, and its line and column, counted from 1."""

    name: str
    line: int
    column: int


def first_invisible(source: str) -> Invisible | None:
    """The first such character before a key, at its end, after its colon, or beside a `---`."""
    for number, line in enumerate(source.split("\n"), start=1):
        if (column := _invisible_in(line)) is not None:
            return Invisible(_name_of(line[column]), number, column + 1)
    return None


def _invisible_in(line: str) -> int | None:
    """The column of such a character in a line."""
    start = len(line) - len(line.lstrip(" \t-"))
    if line[start : start + 1] in INVISIBLE and line[start:]:
        return start
    key, colon, value = line.partition(":")
    if not colon or any(each in key for each in "'\"#"):
        return None
    end = len(key.rstrip(" \t"))
    if key[:end] and key[end - 1] in INVISIBLE:
        return end - 1
    return len(key) + 1 if value and value[0] in INVISIBLE else None


def _name_of(character: str) -> str:
    code = f"U+{ord(character):04X}"
    name = "byte order mark" if character == "\ufeff" else unicodedata.name(character, "character").lower()
    return f"{name} ({code})"
