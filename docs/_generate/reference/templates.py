"""The functions and objects of pages, templates and plug-ins, from the code's signatures and docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from kahnd.render.jinja.environment import FILTERS
from kahnd.render.jinja.references import References
from kahnd.render.jinja.values import Output, Page
from kahnd.render.renderers.python import Document
from reference.words import sentence, table

_HIDDEN = frozenset({"self", "_location"})


def functions() -> str:
    """Returns the table of functions of pages and templates."""
    names = ("data", "page", "pages", "output", "declare", "last_change", "fail", "warn")
    given = (getattr(References, name) for name in names)
    return _table((each.__name__, each) for each in given)


def filters() -> str:
    """Returns the table of kahnd's own filters, with the parameters after the value."""
    named = ((name, _call(name, each, skipped=1), each) for name, each in sorted(FILTERS.items()))
    rows = [(f"`{name if call.endswith('()') else call}`", _first(each)) for name, call, each in named]
    return table(("filter", "gives"), rows)


def page() -> str:
    """Returns the table of a page object's members."""
    rows = [("path", "Its path in the project."), *_members(Page)]
    return table(("of a page", "gives"), [(f"`{name}`", told) for name, told in rows])


def output() -> str:
    """Returns the table of an output object's members."""
    return table(("of an output", "gives"), [(f"`{name}`", told) for name, told in _members(Output)])


def document() -> str:
    """Returns the table of members of a plug-in's argument."""
    rows = [
        ("path", "Its path in the project."),
        ("content", "Its bytes."),
        ("parameters", "The rule's `parameters`, a copy."),
        ("target", "The absolute path of the file that the output is made in, to fill instead of returning it."),
        *_members(Document),
    ]
    return table(("of the document", "gives"), [(f"`{name}`", told) for name, told in rows])


def _members(kind: type) -> list[tuple[str, str]]:
    """Returns public properties and methods in the order of the class."""
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


def _call(name: str, function: Callable[..., Any], skipped: int = 0) -> str:
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name not in _HIDDEN]
    shown = parameters[skipped:]
    words = (each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in shown)
    return f"{name}({', '.join(words)})".replace("'", '"')


def _first(documented: object) -> str:
    """Returns the docstring without its sentence on Python's exceptions, which a writer never sees."""
    text = " ".join((inspect.getdoc(documented) or "").split())
    return sentence(text.partition(" Raises ")[0])
