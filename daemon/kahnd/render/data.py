"""Data files parsed: csv, json, toml, yaml."""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
import tomllib
from collections.abc import Callable
from typing import Any, Final

import yaml

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError, decode
from kahnd.render.frontmatter import LOADER, yaml_line, yaml_reason


def parse(content: bytes, path: str) -> Any:
    """The value a data file holds, by its ending; a csv gives a list of dicts by its first line's names.

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


def _csv(text: str, path: str) -> list[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(reader, [])
        return [_row(names, row, path, reader.line_num) for row in reader if row]
    except csv.Error as error:
        raise _broken(path, reader.line_num, str(error)) from error


def _row(names: list[str], row: list[str], path: str, line: int) -> dict[str, str]:
    if len(row) != len(names):
        raise _broken(path, line, f"{len(row)} values for {len(names)} columns")
    return dict(zip(names, row, strict=True))


def _json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken(path, error.lineno, error.msg) from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, 0, str(error)) from error


def _toml(text: str, path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        place = re.search(r"at line (\d+)", str(error))
        raise _broken(path, int(place[1]) if place else 0, str(error)) from error


def _yaml(text: str, path: str) -> Any:
    try:
        return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader, in C where there is one
    except yaml.YAMLError as error:
        raise _broken(path, yaml_line(error), yaml_reason(error)) from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, 0, str(error)) from error


_PARSERS: Final[dict[str, Callable[[str, str], Any]]] = {
    ".csv": _csv,
    ".json": _json,
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
}
