"""The log reference: events and levels from core/events.py, keys from the calls that log them."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import kahnd
from kahnd.core.events import LOG_LEVELS, LogEvent
from kahnd.engine.timings import COUNTED
from kahnd.platform.resources import process_usage
from reference.meanings import EVENTS, KEYS
from reference.words import table

_CODE: Final = Path(kahnd.__file__).parent
_OF_A_BUILD: Final = ("build", "cause")
"""The keys that the machine adds to each of its events: see core/transitions.py."""
_UNNAMED: Final = {
    "build.finished": COUNTED,
    "watch.batch": ("paths", "everything", "changed"),
    "daemon.state": ("state", "documents", "scheduled", "jobs", "queues", "waits", "store", "watch", *process_usage()),
}
"""The keys of events that are logged with a dictionary."""


def events() -> str:
    """Returns the table of events."""
    found = keys_by_event()
    rows = (
        (f"`{each}`", logging.getLevelName(LOG_LEVELS[each]).lower(), _listed(found[each]), EVENTS[each])
        for each in LogEvent
    )
    return table(("event", "level", "keys", "when"), rows)


def keys() -> str:
    """Returns the table of keys that events have."""
    used = {key for each in keys_by_event().values() for key in each}
    return table(("key", "meaning"), ((f"`{key}`", KEYS[key]) for key in KEYS if key in used))


@cache
def keys_by_event() -> dict[str, tuple[str, ...]]:
    """Returns each event's own keys, in the order of the code."""
    found: dict[str, dict[str, None]] = {each: {} for each in LogEvent}
    for path in sorted(_CODE.rglob("*.py")):
        for event, names in _logged_in(ast.parse(path.read_text()), in_core=path.parent.name == "core"):
            found[event].update(dict.fromkeys(names))
    return {event: tuple(names) for event, names in found.items()}


def _logged_in(tree: ast.Module, *, in_core: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields each event that a call passes as one of its first two arguments, with the keys of that call."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _name(call.func) == "Log":
            for event in _events(call.args[0]):
                yield event, (*_OF_A_BUILD, *_keys(call.args[1], event))
        elif isinstance(call, ast.Call):
            for event in (event for each in call.args[:2] for event in _events(each)):
                yield event, (*(_OF_A_BUILD if in_core else ()), *_keywords(call, event))


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
    """Yields the events that a call's argument can mean: a name, a text, or either of two."""
    match argument:
        case ast.Attribute(value=ast.Name(id="LogEvent"), attr=name):
            yield LogEvent[name]
        case ast.Constant(value=str() as text):
            yield from (each for each in LogEvent if each == text)
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*_events(body), *_events(orelse))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{each}`" for each in names)
