"""Values and types of the code in words and in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import inspect

_PLAIN: Final[dict[type[inspect.Type], str]] = {inspect.StrType: "text", inspect.BoolType: "true or false"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *([each.replace("|", "\\|") for each in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def toml(value: Any) -> str:
    """A value as TOML writes it, for the values that defaults are."""
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def kind(given: inspect.Type) -> str:
    """A type as a reader of kahnd.toml thinks of it."""
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
        case _:
            return _PLAIN[type(given)]


def _range(given: inspect.IntType | inspect.FloatType) -> str:
    if given.gt is not None:
        return f" above {given.gt:,.15g}, {given.le:,.15g} at the most"
    return "" if given.ge is None else f", {given.ge:,.15g} to {given.le:,.15g}"


def _either(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def sentence(text: str) -> str:
    """With a capital at its beginning."""
    return text[:1].upper() + text[1:]
