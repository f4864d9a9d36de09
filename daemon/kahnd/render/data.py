"""Data files parsed: csv, tsv, json, toml, yaml."""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError, decode
from kahnd.render.plain_yaml import MAX_DEPTH, MAX_DIGITS, YamlError
from kahnd.render.plain_yaml import load as load_yaml
from kahnd.render.sheets import SheetError, rows_of

T = TypeVar("T")
_TOKEN: Final = re.compile(rf'"(?:[^"\\]|\\.)*"|-?\d{{{MAX_DIGITS + 1},}}|-?Infinity|NaN', re.DOTALL)
_MARK_OR_TEXT: Final = re.compile(r'(?P<key>"(?:[^"\\]|\\.)*+")\s*:|"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)
_TOO_DEEP: Final = f"it is nested more than {MAX_DEPTH} deep"
_HALF: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)
"""An escape: a pair of halves of a character, a half alone (the group), or any other."""


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
    """An object names a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _DuplicateError
    return found


def _duplicate(text: str) -> tuple[str, int]:
    """The first key in valid JSON that its object has already, and its line; empty where there is none."""
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
    """The line on which brackets are nested deeper than is read; 0 where none are."""
    depth = 0
    for token in _MARK_OR_TEXT.finditer(text):
        depth += (token[0] in "{[") - (token[0] in "}]")
        if depth > MAX_DEPTH:
            return _line(text, token.start())
    return 0


def _shallow(value: T, text: str, path: str) -> T:
    """The value, if it is not nested too deep for what templates do with it. Raises ProblemError."""
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
    """The line of the first number that can't be read; 0 where none is."""
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
        raise _broken(path, error.line, str(error)) from error


_PARSERS: Final[dict[str, Callable[[str, str], Any]]] = {
    ".csv": _sheet,
    ".tsv": partial(_sheet, separator="\t"),
    ".json": _json,
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
}
