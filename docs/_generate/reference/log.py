"""The log: every event with its level from service/events.py, and its keys as they stand where it is told."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import kahnd
from kahnd.engine.engine import COUNTED
from kahnd.service.events import LEVELS, Event
from kahnd.service.usage import usage
from reference.meanings import EVENTS, KEYS
from reference.words import table

_CODE: Final = Path(kahnd.__file__).parent
_TELLING: Final = frozenset({"say", "_say", "tell"})
_OF_A_BUILD: Final = ("build", "cause")
"""What the machine puts into each of its lines: see core/book.py."""
_UNNAMED: Final = {
    "build.finished": COUNTED,
    "watch.batch": ("paths", "everything", "changed"),
    "daemon.state": ("state", "documents", "scheduled", "jobs", "queues", "waits", "store", "watch", *usage()),
}
"""The keys of events that are told with a dictionary."""


def events() -> str:
    """A line for each event."""
    found = keys_by_event()
    rows = (
        (f"`{each}`", logging.getLevelName(LEVELS[each]).lower(), _listed(found[each]), EVENTS[each]) for each in Event
    )
    return table(("event", "level", "keys", "when"), rows)


def keys() -> str:
    """A line for each key, of those that some event has."""
    used = {key for each in keys_by_event().values() for key in each}
    return table(("key", "is"), ((f"`{key}`", KEYS[key]) for key in KEYS if key in used))


def keys_by_event() -> dict[str, tuple[str, ...]]:
    """Each event's own keys, in the order in which they stand in the code."""
    found: dict[str, dict[str, None]] = {each: {} for each in Event}
    for path in sorted(_CODE.rglob("*.py")):
        for event, names in _told_in(ast.parse(path.read_text()), in_core=path.parent.name == "core"):
            found[event].update(dict.fromkeys(names))
    return {event: tuple(names) for event, names in found.items()}


def _told_in(tree: ast.Module, *, in_core: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _name(call.func) in _TELLING:
            for event in (event for each in call.args[:2] for event in _events(each)):
                yield event, (*(_OF_A_BUILD if in_core else ()), *_keywords(call, event))
        elif isinstance(call, ast.Call) and _name(call.func) == "Tell":
            for event in _events(call.args[0]):
                yield event, (*_OF_A_BUILD, *_keys(call.args[1], event))


def _keys(fields: ast.expr, event: str) -> Iterator[str]:
    if isinstance(fields, ast.Dict):
        yield from (str(ast.literal_eval(key)) for key in fields.keys if key)
    else:
        yield from _UNNAMED[event]


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _keywords(call: ast.Call, event: str) -> Iterator[str]:
    for each in call.keywords:
        yield from (_UNNAMED[event] if each.arg is None else (each.arg,))


def _events(argument: ast.expr) -> Iterator[str]:
    """The events that a call's argument means: named, as text, or as text with a part that is worked out."""
    match argument:
        case ast.Attribute(value=ast.Name(id="Event"), attr=name):
            yield Event[name]
        case ast.Constant(value=str() as text):
            yield from (each for each in Event if each == text)
        case ast.JoinedStr(values):
            pattern = "".join(re.escape(str(each.value)) if isinstance(each, ast.Constant) else ".+" for each in values)
            yield from (each for each in Event if re.fullmatch(pattern, each) and each in _WORKED_OUT)


_WORKED_OUT: Final = frozenset({Event.DOCUMENT_FAILED, Event.DOCUMENT_BLOCKED})
"""By a document's status, where its rendering did not go well."""


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{each}`" for each in names)
