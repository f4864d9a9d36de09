"""Turns values and types of the code into words and Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import inspect

_PLAIN: Final[dict[type[inspect.Type], str]] = {
    inspect.StrType: "text",
    inspect.BoolType: "true or false",
    inspect.DictType: "a table",
}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table."""
    lines = [head, ["---"] * len(head), *([each.replace("|", "\\|") for each in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def toml(value: Any) -> str:
    """Returns a default value in TOML."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def kind(given: inspect.Type) -> str:
    """Describes a type for a reader of kahnd.toml."""
    match given:
        case inspect.UnionType(types):
            return " or ".join(kind(each) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.LiteralType(values):
            return _either([f"`{toml(each)}`" for each in values])
        case inspect.VarTupleType(item):
            return f"a list of {kind(item)}s"
        case inspect.IntType() | inspect.FloatType():
            noun = "a whole number" if isinstance(given, inspect.IntType) else "a number"
            return f"{noun}{_range(given)}"
        case inspect.StructType() | inspect.DictType():
            return _table_of(given)
        case _:
            return _PLAIN[type(given)]


def _table_of(given: inspect.StructType | inspect.DictType) -> str:
    if isinstance(given, inspect.DictType):
        return "a table" if isinstance(given.value_type, inspect.AnyType) else f"a table of {kind(given.value_type)}s"
    return f"a table of {', '.join(f'`{each.encode_name}`' for each in given.fields)}"


def _range(given: inspect.IntType | inspect.FloatType) -> str:
    if given.gt is not None:
        return f" above {given.gt:,.15g}, at most {given.le:,.15g}"
    return "" if given.ge is None else f", {given.ge:,.15g} to {given.le:,.15g}"


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def sentence(text: str) -> str:
    """Returns the text with a capital first letter."""
    return text[:1].upper() + text[1:]
