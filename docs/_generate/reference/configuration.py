"""The kahnd.toml reference: keys, types and defaults from the schema, meanings from config.example.toml's comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from msgspec import inspect

from kahnd.config.tables import TABLES, RuleTable
from kahnd.render.renderers import registry
from reference.words import kind, sentence, toml

EXAMPLE: Final = Path(__file__).parents[3] / "config.example.toml"
_KEY: Final = re.compile(r"(\w+) = ")
_TABLE: Final = re.compile(r"\[(\w+)\]")
_HEAD_KEY: Final = re.compile(r" {3}(\w+) {2,}(.*)")
_RENDERER: Final = re.compile(r'^renderer = "(\w+)"$', re.MULTILINE)


@dataclass
class Comments:
    """The comments of the example: keys by table (or renderer) and name, renderers, keys of every rule."""

    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    renderers: dict[str, str] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)


def comments(text: str) -> Comments:
    """Reads the comments. Each belongs to the line below it."""
    found = Comments(rules=_every_rule(text))
    head, *rules = text.split("\n[[rules]]\n")
    for table, key, comment in _keys(head):
        found.keys[table, key] = comment
    for before, body in zip([head, *rules], rules, strict=False):
        renderer = _RENDERER.findall(body)[0]
        found.renderers[renderer] = _last_comment(before)
        found.keys.update({(renderer, key): comment for _, key, comment in _keys(body) if comment})
    return found


def _keys(text: str) -> Iterator[tuple[str, str, str]]:
    table, lines = "", list[str]()
    for line in text.splitlines():
        if opened := _TABLE.fullmatch(line):
            table = opened[1]
        elif key := _KEY.match(line):
            yield table, key[1], " ".join(lines)
        lines = [*lines, line[2:]] if line.startswith("# ") else []


def _last_comment(text: str) -> str:
    lines = text.rstrip("\n").rpartition("\n\n")[2].splitlines()
    return " ".join(line[2:] for line in lines if line.startswith("# "))


def _every_rule(text: str) -> dict[str, str]:
    """Reads the list below "Every rule has:". Lines with deeper indentation continue the line above."""
    found, key = dict[str, str](), ""
    for line in text.partition("# Every rule has:\n")[2].partition("# The other keys")[0].splitlines():
        if opened := _HEAD_KEY.match(line[1:]):
            key = opened[1]
            found[key] = opened[2]
        else:
            found[key] += f" {line[1:].strip()}"
    return found


def tables() -> str:
    """Returns every table except the rules, key by key."""
    told = comments(EXAMPLE.read_text())
    return "\n".join(line for name, table in TABLES.items() for line in _table(name, table, told))


def _table(name: str, table: type[msgspec.Struct], told: Comments) -> Iterator[str]:
    yield f"## The table `[{name}]`\n"
    yield f"{table.__doc__}\n"
    for each in _fields(table):
        yield f"### `{name}.{each.encode_name}`\n"
        yield f"{_facts(each)} In the environment: `KAHND_{name.upper()}__{each.encode_name.upper()}`.\n"
        yield f"{told.keys[name, each.encode_name]}\n"


def _facts(field_: inspect.Field) -> str:
    default = field_.default
    if field_.required:
        return f"{sentence(kind(field_.type))}; required."
    has_none = default in (None, (), msgspec.NODEFAULT) or isinstance(default, msgspec.Struct)
    told = "" if has_none else f" Default: `{toml(default)}`."
    return f"{sentence(kind(field_.type))}.{told}"


def rules() -> str:
    """Returns the keys of every rule, and those of each renderer."""
    told = comments(EXAMPLE.read_text())
    lines = ["### Every rule\n"]
    lines += [f"- `{key}`: {meaning}" for key, meaning in told.rules.items()]
    for renderer in registry.BUILT_IN:
        lines += ["", *_renderer(renderer, told)]
    return "\n".join(lines)


def _renderer(name: str, told: Comments) -> Iterator[str]:
    parameters = registry.parameters_type(name)
    assert parameters is not None  # noqa: S101 - a built-in one
    yield f'### Rules with `renderer = "{name}"`\n'
    yield f"{told.renderers[name]}\n"
    for each in _fields(parameters):
        yield f"- `{each.encode_name}`: {_facts(each)} {told.keys[name, each.encode_name]}"


def _fields(table: type[msgspec.Struct]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(table)
    assert isinstance(found, inspect.StructType)  # noqa: S101 - what it is given
    return found.fields


def of_rules() -> Mapping[str, object]:
    """Returns the keys that every rule has in the schema, with their types."""
    return {each.encode_name: each.type for each in _fields(RuleTable)}


def example() -> str:
    """Returns the whole example."""
    return f"```toml\n{EXAMPLE.read_text()}```"
