"""What pages, templates and plug-ins can use, from the signatures and docstrings of the code itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from kahnd.render.python import Document
from kahnd.render.references import Output, Page, References
from reference.words import sentence, table

_HIDDEN = frozenset({"self", "_place"})


def functions() -> str:
    """The functions of pages and templates."""
    return _table(
        (each.__name__, each) for each in (References.data, References.page, References.pages, References.output)
    )


def page() -> str:
    """What a page object has."""
    rows = [("path", "Its path in the project."), *_members(Page)]
    return table(("of a page", "gives"), [(f"`{name}`", told) for name, told in rows])


def output() -> str:
    """What an output object has."""
    return table(("of an output", "gives"), [(f"`{name}`", told) for name, told in _members(Output)])


def document() -> str:
    """What a plug-in's function is given."""
    rows = [("path", "Its path in the project."), ("content", "Its bytes."), *_members(Document)]
    return table(("of the document", "gives"), [(f"`{name}`", told) for name, told in rows])


def _members(kind: type) -> list[tuple[str, str]]:
    """Public properties and methods, as they stand in the class."""
    found = []
    for name, value in vars(kind).items():
        if name.startswith("_"):
            continue
        if isinstance(value, property):
            found.append((name, _first(value)))
        elif inspect.isfunction(value):
            found.append((_call(name, value), _first(value)))
    return found


def _table(given: Iterable[tuple[str, Callable[..., Any]]]) -> str:
    return table(("call", "gives"), [(f"`{_call(name, function)}`", _first(function)) for name, function in given])


def _call(name: str, function: Callable[..., Any]) -> str:
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name not in _HIDDEN]
    words = (each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in parameters)
    return f"{name}({', '.join(words)})".replace("'", '"')


def _first(documented: object) -> str:
    """The docstring without what it says of Python's exceptions: there is no traceback for a writer."""
    text = " ".join((inspect.getdoc(documented) or "").split())
    return sentence(text.partition(" Raises ")[0])
