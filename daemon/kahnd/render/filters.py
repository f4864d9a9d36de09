"""Jinja's filters as the project has them: texts are made of plain values only, and what they list are lists.

A list can be written, counted, tested and gone through twice; the generators that Jinja gives can't.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

from jinja2 import Environment, pass_environment, pass_eval_context
from jinja2.filters import FILTERS, do_join, ignore_case, make_attrgetter, make_multi_attrgetter
from jinja2.nodes import EvalContext
from jinja2.runtime import Undefined

from kahnd.core.model import Problem
from kahnd.render.files import ProblemError
from kahnd.render.ordering import UnorderedError, instants
from kahnd.render.values import plain

_TEXTUAL: Final = (
    *("capitalize", "center", "e", "escape", "filesizeformat", "forceescape", "format", "indent", "lower", "pprint"),
    *("replace", "safe", "string", "striptags", "title", "tojson", "trim", "truncate", "upper", "urlencode", "urlize"),
    *("wordcount", "wordwrap"),
)
_LISTING: Final = (
    "batch",
    "items",
    "map",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "slice",
    "unique",
)
TEXT: Final = "~"
"""The filter that the operands of `~` pass. No template can name it."""


def _textual(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, of plain values; a list's text is the list's, but what is no list yet may be read for one."""
    passed = int(hasattr(function, "jinja_pass_arg"))

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for value in (*args[passed:], *kwargs.values()):
            if isinstance(plain(value), Undefined):
                str(value)  # says what is undefined; some filters would write it
        return function(*args, **kwargs)

    return checked


def _listing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, giving a list. A text that is turned round stays a text."""

    @functools.wraps(function)
    def listed(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        return made if isinstance(made, str | Undefined) else list(made)

    return listed


@pass_eval_context
def _join(context: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Jinja's, of plain values."""
    if attribute is not None:
        value = map(make_attrgetter(context.environment, attribute), value)
    joined: str = do_join(context, [plain(each) for each in value], plain(d))
    return joined


@pass_eval_context
def _xmlattr(context: EvalContext, values: dict[str, Any], autospace: bool = True) -> str:  # noqa: FBT001, FBT002
    """Jinja's, of plain values; what is undefined is left out."""
    for value in values.values():
        plain(value)
    return FILTERS["xmlattr"](context, values, autospace)  # type: ignore[no-any-return]


@pass_environment
def _sort(
    environment: Environment,
    value: Iterable[Any],
    reverse: bool = False,  # noqa: FBT001, FBT002
    case_sensitive: bool = False,  # noqa: FBT001, FBT002
    attribute: str | int | None = None,
) -> list[Any]:
    """Jinja's, but dates, and texts that spell dates, come in the order of what they mean."""
    items = list(value)
    keys_of = make_multi_attrgetter(environment, attribute, postprocess=None if case_sensitive else ignore_case)
    try:
        columns = [instants(column) or column for column in zip(*map(keys_of, items), strict=True)]
    except UnorderedError as error:
        raise ProblemError(Problem(f"can't be sorted: {error}", remedy="write it as 2026-01-31")) from error
    keys = list(zip(*columns, strict=True))
    return [items[place] for place in sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)]


def _without_chance() -> dict[str, Callable[..., Any]]:
    filters = {name: function for name, function in FILTERS.items() if name != "random"}
    filters |= {name: _textual(FILTERS[name]) for name in _TEXTUAL}
    filters |= {name: _listing(FILTERS[name]) for name in _LISTING}
    return filters | {"join": _join, "xmlattr": _xmlattr, "sort": _sort, TEXT: plain}


PROJECT_FILTERS: Final = _without_chance()
