"""Parsed TOML → frozen structs, with every problem found and not only the first."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec

from kahnd.config.faults import Faults, label, nearest
from kahnd.config.locate import KeyPath

S = TypeVar("S", bound=msgspec.Struct)

_ELEMENT: Final = re.compile(r" - at `\$\[(\d+)\].*`$")
_NAMES: Final = {"str": "text", "int": "an integer", "float": "a number", "bool": "true or false"}
_MORE_NAMES: Final = {"array": "a list", "object": "a table", "datetime": "a date", "date": "a date", "time": "a time"}


def to_struct(
    values: Mapping[str, Any], kind: type[S], path: KeyPath, faults: Faults, also: Collection[str] = ()
) -> S | None:
    """The struct these values make, but for unknown keys; None where they make none. All reasons go to the faults.

    `also` are keys that are valid here too, for the nearest name.
    """
    fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    for key in values.keys() - fields.keys():
        faults.add((*path, key), f'unknown key "{key}"{_of(path)}', nearest(key, {*fields, *also}))
    before = len(faults.problems)
    for key, each in fields.items():
        if key in values:
            check_value(values[key], each.type, (*path, key), faults)
        elif each.required:
            faults.add(path, f'"{key}" is missing{_of(path)}')
    if len(faults.problems) > before:
        return None
    try:
        return msgspec.convert({key: values[key] for key in fields.keys() & values.keys()}, kind)
    except msgspec.ValidationError as error:  # what the struct itself demands of its values together
        faults.add(path, str(error))
        return None


def check_value(value: Any, kind: Any, path: KeyPath, faults: Faults) -> None:
    """Add a fault if this value is not of that type."""
    message = mismatch(value, kind)
    if message is None:
        return
    element = _ELEMENT.search(message)
    where = (*path, int(element[1])) if element else path
    choices = tuple(_choices(kind))
    if choices and message.startswith("Invalid enum value"):
        faults.add(where, f'{label(where)}: "{value}" is no valid value', nearest(str(value), choices))
    else:
        faults.add(where, f"{label(where)}: {_plain(_ELEMENT.sub('', message))}")


def mismatch(value: Any, kind: Any) -> str | None:
    """Why this value is not of that type, in msgspec's words; None if it is."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _of(path: KeyPath) -> str:
    return " of the rule" if path[0] == "rules" else f" in [{path[0]}]"


def _choices(kind: Any) -> Iterable[str]:
    """The texts that a type names as valid."""
    if get_origin(kind) is Literal:
        yield from map(str, get_args(kind))
    else:
        for inner in get_args(kind):
            yield from _choices(inner)


def _plain(message: str) -> str:
    """A message of msgspec in TOML's words."""

    def names(match: re.Match[str]) -> str:
        known = _NAMES | _MORE_NAMES
        return " or ".join(known.get(each, each) for each in match[1].split(" | ") if each != "null")

    text = re.sub(r"`([a-z| ]+)`", names, message)
    return text[0].lower() + text[1:]
