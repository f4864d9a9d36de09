"""`[[rules]]` → core rules with their renderers' own parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from kahnd.config.convert import to_struct
from kahnd.config.faults import Faults, nearest
from kahnd.config.locate import KeyPath
from kahnd.config.schema import RendererSchema
from kahnd.config.tables import RuleTable
from kahnd.core.globs import glob_objection
from kahnd.core.rules import OUTPUT_PLACEHOLDERS, Rule
from kahnd.core.text import shortened

_HEAD: Final = frozenset(each.encode_name for each in msgspec.structs.fields(RuleTable))
_PLACEHOLDERS: Final = tuple(f"{{{name}}}" for name in OUTPUT_PLACEHOLDERS)
_QUOTED: Final = re.compile(r"([`'])(?P<text>.+?)\1")
_BRACES: Final = re.compile(r"\{([^{}]*)\}?|\}")


def read_rules(entries: Any, renderers: Mapping[str, RendererSchema], faults: Faults) -> tuple[Rule, ...]:
    """The rules in their order; those with faults are left out, and the faults told."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        faults.add(("rules",), "rules must be a list of tables", "begin each rule with [[rules]]")
        return ()
    read = (_rule(index, entry, renderers, faults) for index, entry in enumerate(entries))
    return tuple(rule for rule in read if rule is not None)


def _rule(index: int, entry: dict[str, Any], renderers: Mapping[str, RendererSchema], faults: Faults) -> Rule | None:
    path: KeyPath = ("rules", index)
    schema = _schema(entry, path, renderers, faults)
    parameters = _parameters(entry, path, schema, faults) if schema else None
    head = to_struct({key: entry[key] for key in entry.keys() & _HEAD}, RuleTable, path, faults)
    if head is None:
        return None
    output = head.output or (schema.output if schema else "")
    _check_match(head.match, (*path, "match"), faults)
    if head.output is not None:
        _check_output(head.output, (*path, "output"), faults)
    elif schema and not output:
        faults.add(path, f'"output" is missing; {head.renderer} rules must say', 'such as output = "{dir}/{stem}.svg"')
    return Rule(index, head.match, head.renderer, output, parameters, line=faults.line(path))


def _schema(
    entry: Mapping[str, Any], path: KeyPath, renderers: Mapping[str, RendererSchema], faults: Faults
) -> RendererSchema | None:
    name = entry.get("renderer")
    if not isinstance(name, str):
        return None  # absent, or of a wrong type: told with the other keys
    if name not in renderers:
        faults.add((*path, "renderer"), f'unknown renderer "{name}"', nearest(name, renderers))
    return renderers.get(name)


def _parameters(entry: Mapping[str, Any], path: KeyPath, schema: RendererSchema, faults: Faults) -> object:
    own = {key: value for key, value in entry.items() if key not in _HEAD}
    parameters = to_struct(own, schema.parameters, path, faults, also=_HEAD)
    if parameters is None:
        return None
    for objection in schema.check(parameters):
        faults.add((*path, *_quoted(objection, own)), objection)
    return parameters


def _quoted(objection: str, values: Mapping[str, Any]) -> KeyPath:
    """The key, or the element of one, that an objection speaks of: it quotes the key, or part of its value."""
    quotes = [match["text"] for match in _QUOTED.finditer(objection)]
    named = next(((key,) for quote in quotes for key in values if quote == key), ())
    return next((place for quote in quotes for place in _holding(quote, values)), named)


def _holding(quote: str, values: Mapping[str, Any]) -> Iterable[KeyPath]:
    for key, value in values.items():
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        for index, text in enumerate(texts):
            if isinstance(text, str) and quote in text:
                yield (key, index) if isinstance(value, list) else (key,)


def _check_match(pattern: str, path: KeyPath, faults: Faults) -> None:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        faults.add(path, f'"{pattern}" can match nothing', "patterns are relative to the project, and stay within it")
    if objection := glob_objection(pattern):
        faults.add(path, f'"{shortened(pattern)}" is no valid pattern: {objection}')


def _check_output(pattern: str, path: KeyPath, faults: Faults) -> None:
    for found in _BRACES.finditer(pattern):
        if found[1] not in OUTPUT_PLACEHOLDERS:
            faults.add(path, f"unknown placeholder {found[0]}", nearest(found[0], _PLACEHOLDERS))
        elif not found[0].endswith("}"):
            faults.add(path, f"{found[0]} has no closing brace", f"write {found[0]}}}")
    if pattern.startswith("/") or ".." in pattern.split("/"):
        faults.add(path, f'output "{pattern}" leads out of the output folder', "begin below it, without / or ..")
    elif pattern.endswith(("/", "/.")) or pattern == ".":
        faults.add(path, f'output "{pattern}" names no file', 'such as "{dir}/{stem}.html"')
