"""`KAHND_<TABLE>__<KEY>` variables: they override the file, key by key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from kahnd.config.convert import mismatch
from kahnd.config.credentials import PASSWORD, PASSWORD_FOR, USER, unclear_servers
from kahnd.config.faults import nearest
from kahnd.config.locate import KeyPath
from kahnd.config.tables import TABLES
from kahnd.core.model import Problem
from kahnd.core.text import is_whole

PREFIX: Final = "KAHND_"
_OWN: Final = (USER, PASSWORD, PASSWORD_FOR)
"""Those that stand for no key of the file."""


@dataclass(frozen=True)
class Overrides:
    """What the environment sets: values and variables' names by key path, and variables that mean nothing."""

    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    variables: dict[KeyPath, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def overrides(environ: Mapping[str, str]) -> Overrides:
    """Read the variables that begin with `KAHND_` and have the double underscore."""
    known = dict(_known())
    given = {name: text for name, text in environ.items() if name.startswith(PREFIX) and "__" in name}
    unknown = [_unknown(name, known) for name in sorted(given.keys() - known.keys() - set(_OWN))]
    unread = [Problem(f"{name}: its value is not UTF-8") for name, text in sorted(given.items()) if not is_whole(text)]
    found = Overrides(problems=(*unknown, *unread, *map(_unclear, unclear_servers(environ))))
    for name in sorted(given.keys() & known.keys()):
        path, kind = known[name]
        found.values[path] = _value(given[name], kind)
        found.variables[path] = name
    return found


def _known() -> list[tuple[str, tuple[tuple[str, str], Any]]]:
    return [
        (f"{PREFIX}{table.upper()}__{each.encode_name.upper()}", ((table, each.encode_name), each.type))
        for table, kind in TABLES.items()
        for each in msgspec.structs.fields(kind)
    ]


def _unknown(name: str, known: Mapping[str, object]) -> Problem:
    return Problem(f"{name}: there is no such key", remedy=nearest(name, [*known, *_OWN]))


def _unclear(number: int) -> Problem:
    remedy = "write servers as wss://HOST:PORT, with spaces between them"
    return Problem(f"{PASSWORD_FOR}: word {number} names no server", remedy=remedy)


def _value(text: str, kind: Any) -> Any:
    """The text as TOML, or as it is where that is no TOML or not of the key's type."""
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    value = parsed["value"]
    return value if len(parsed) == 1 and (mismatch(value, kind) is None or mismatch(text, kind) is not None) else text
