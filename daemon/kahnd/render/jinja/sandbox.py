"""Jinja's sandbox and filters, made so that an output depends on its inputs alone, and no rendering affects another.

- Only plain values (see `values`) become text, by whatever means: `{{ }}`, `~`, `%`, filters, `format`.
- `x.items` is the key of a mapping, and `x.items()` its method.
- Dates reveal neither the machine's time nor its zone. Classes have no attributes, since all renderings in a worker
  share them.
- Filters that list something return lists, which can be printed, counted, tested and read twice, unlike generators.
- `TokenLimit` bounds the template code that the daemon parses.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Undefined, nodes, pass_environment, pass_eval_context
from jinja2.exceptions import SecurityError, TemplateRuntimeError, UndefinedError
from jinja2.ext import Extension
from jinja2.filters import FILTERS, do_join, ignore_case, make_attrgetter, make_multi_attrgetter
from jinja2.lexer import Token, TokenStream
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEscapeFormatter, SandboxedFormatter
from jinja2.utils import Cycler, Joiner, Namespace, missing
from markupsafe import Markup

from kahnd.core.model import Problem
from kahnd.render.data.ordering import UnorderedError, instants
from kahnd.render.files import ProblemError
from kahnd.render.jinja.values import CLOCKLESS, PAGE_KEYS, Page, described, formatted, plain

_METHOD: Final = ".()"
"""The filter that returns a mapping's method. No template can name it."""
_MAPPING_METHODS: Final = frozenset(name for name in dir(dict) if not name.startswith("_"))
_SHOWN: Final = 12


class _Missing(StrictUndefined):
    """An undefined value whose error says in a user's words what has no such attribute."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        if hint is None and obj is not missing:
            hint = f"{described(obj)} has no {name!r}"
        super().__init__(hint, obj, name, exc)


class Sandbox(ImmutableSandboxedEnvironment):
    """Raises for undefined names, and for values that must not become text."""

    intercepted_binops = frozenset({"%", "*", "**", "-"})
    """`%` makes text, `-` sets; the others are evaluated during rendering, so that an error in them has its line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=_Missing, finalize=plain, **options)
        self.filters = _FILTERS
        # `lipsum` is random. The classes below would be shared by all renderings, so functions replace them.
        del self.globals["lipsum"]
        self.globals.update(_GLOBALS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: only keys of a mapping; attributes of other objects, as in Jinja."""
        if isinstance(obj, dict):
            return self.getitem(obj, attribute)
        if attribute in PAGE_KEYS and isinstance(obj, Page):
            return getattr(obj, attribute)  # asking whether that is safe would take longer than the answer
        if isinstance(obj, dt.date | dt.time) and attribute == "strftime":
            return partial(formatted, obj)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`: only keys of a mapping, where a number also finds its text."""
        if not isinstance(obj, dict):
            return super().getitem(obj, argument)
        try:
            return obj[argument]
        except (KeyError, TypeError):
            if isinstance(argument, int) and str(argument) in obj:
                return obj[str(argument)]  # for `sum(attribute="2026")`, which Jinja takes for a number
        return self.undefined(_no_key_message(obj, argument), obj=obj, name=str(argument))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may read the attribute."""
        if isinstance(obj, type) or not super().is_safe_attribute(obj, attr, value):
            return False
        return not isinstance(obj, dt.date | dt.time | dt.tzinfo) or attr in CLOCKLESS or _is_zoned_timestamp(obj, attr)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """The undefined value for an attribute that a template may not read."""
        if isinstance(obj, dt.date | dt.time | dt.tzinfo) and not attribute.startswith("_"):
            message = f"`{attribute}` of a date depends on the machine's clock or zone, and an output must not"
            return self.undefined(message, obj=obj, name=attribute, exc=SecurityError)
        return super().unsafe_undefined(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`%` on texts, which formats them, and `-` on keys, whose difference stays in order: a set has none."""
        if isinstance(left, str):
            for each in right if isinstance(right, tuple) else [right]:
                plain(each)
        made = super().call_binop(context, operator, left, right)
        return [each for each in left if each in made] if isinstance(made, set) else made

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - as in Jinja
        """A call. The methods of a text that is marked as HTML make text of their arguments."""
        if isinstance(getattr(__obj, "__self__", None), Markup):
            args = tuple(map(_plain_argument, args))
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`format` and `format_map` of a text, for plain values only."""
        owner = getattr(value, "__self__", None)
        name = getattr(value, "__name__", "")
        if not isinstance(owner, str) or name not in {"format", "format_map"}:
            return None
        formatter = _EscapeFormatter(self, escape=owner.escape) if isinstance(owner, Markup) else _Formatter(self)

        def made(*args: Any, **kwargs: Any) -> str:
            given = ((), *args) if name == "format_map" else (args, kwargs)
            return type(owner)(formatter.vformat(owner, *given))

        return made

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        for operation in source.find_all(nodes.Concat):
            operation.nodes = [_filtered(self, each, TEXT) for each in operation.nodes]
        for call in source.find_all(nodes.Call):
            if isinstance(call.node, nodes.Getattr) and call.node.attr in _MAPPING_METHODS:
                name = nodes.Const(call.node.attr, lineno=call.node.lineno)
                call.node = _filtered(self, call.node.node, _METHOD, name)
        return super()._generate(source, *args, **kwargs)


class _PlainFields:
    """The methods of a formatter that make text of a value."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        """Apply a conversion such as `!r`."""
        return super().convert_field(plain(value), conversion)  # type: ignore[misc]

    def format_field(self, value: Any, format_spec: str) -> str:
        """Format one field."""
        if format_spec and isinstance(value, dt.date | dt.time):
            return formatted(value, format_spec)
        return super().format_field(plain(value), format_spec)  # type: ignore[misc, no-any-return]


class _Formatter(_PlainFields, SandboxedFormatter):
    pass


class _EscapeFormatter(_PlainFields, SandboxedEscapeFormatter):
    pass


@pass_environment
def _method(environment: Sandbox, obj: Any, name: str) -> Any:
    """The callee of `obj.name(…)`: a mapping's method even if there is such a key, since data can't be called."""
    if not isinstance(obj, dict) or callable(obj.get(name)):
        return environment.getattr(obj, name)
    return ImmutableSandboxedEnvironment.getattr(environment, obj, name)


def _filtered(environment: Sandbox, node: nodes.Expr, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    made = nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)
    return made.set_environment(environment)  # type: ignore[return-value]


def _plain_argument(value: Any) -> Any:
    """An argument of a text's method, checked to be plain; a generator becomes a list first."""
    if hasattr(value, "__next__"):
        value = list(value)
    for each in value if isinstance(value, list | tuple) else [value]:
        plain(each)
    return value


def _is_zoned_timestamp(value: object, attribute: str) -> bool:
    """Tell whether it is `timestamp` of a date with a zone; without one it would depend on the machine's zone."""
    return attribute == "timestamp" and isinstance(value, dt.datetime) and value.utcoffset() is not None


def _no_key_message(mapping: Mapping[Any, Any], key: object) -> str:
    shown = f"`{key}`" if isinstance(key, str | int) else f"a {type(key).__name__}"
    names = [str(each) for each in list(mapping)[: _SHOWN + 1]]
    there = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"there is no {shown} among the keys: {there}" if names else f"there is no {shown}: there are no keys"


def _cycler(*items: Any) -> Cycler:
    return Cycler(*items)


def _joiner(sep: str = ", ") -> Joiner:
    return Joiner(plain(sep))


def _namespace(*args: Any, **kwargs: Any) -> Namespace:
    return Namespace(*args, **kwargs)


_GLOBALS: Final[Mapping[str, Any]] = {"cycler": _cycler, "joiner": _joiner, "namespace": _namespace}


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
"""The filter that the operands of `~` pass through. No template can name it."""


def _textual(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, for plain values only."""
    passed = int(hasattr(function, "jinja_pass_arg"))

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for value in (*args[passed:], *kwargs.values()):
            if isinstance(plain(value), Undefined):
                str(value)  # raises with the name; some filters would print it
        return function(*args, **kwargs)

    return checked


def _listing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, returning a list; a reversed text stays a text."""

    @functools.wraps(function)
    def listed(*args: Any, **kwargs: Any) -> Any:
        made = function(*args, **kwargs)
        return made if isinstance(made, str | Undefined) else list(made)

    return listed


@pass_eval_context
def _join(context: EvalContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    """Jinja's `join`, for plain values."""
    if attribute is not None:
        value = map(make_attrgetter(context.environment, attribute), value)
    joined: str = do_join(context, [plain(each) for each in value], plain(d))
    return joined


@pass_eval_context
def _xmlattr(context: EvalContext, values: dict[str, Any], autospace: bool = True) -> str:  # noqa: FBT001, FBT002
    """Jinja's `xmlattr`, for plain values; undefined ones are left out."""
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
    """Jinja's `sort`, but dates, and texts that are dates, are sorted by time."""
    items = list(value)
    keys = _sort_keys(environment, items, case_sensitive, attribute)
    return [items[index] for index in sorted(range(len(items)), key=keys.__getitem__, reverse=reverse)]


def _sort_keys(
    environment: Environment,
    items: list[Any],
    case_sensitive: bool,  # noqa: FBT001
    attribute: str | int | None,
) -> list[Any]:
    keys_of = make_multi_attrgetter(environment, attribute, postprocess=None if case_sensitive else ignore_case)
    columns = [_times(column) or column for column in zip(*map(keys_of, items), strict=True)]
    return list(zip(*columns, strict=True))


def _times(values: Sequence[Any]) -> list[dt.datetime] | None:
    """The times that the values mean, if all are dates; otherwise None."""
    try:
        return instants(values)
    except UnorderedError as error:
        raise ProblemError(Problem(f"can't be sorted: {error}", remedy="write it as 2026-01-31")) from error


def _extreme(choose: Callable[..., int]) -> Callable[..., Any]:
    """Jinja's `max` or `min`, with dates compared as in `sort`."""

    @pass_environment
    def found(
        environment: Environment,
        value: Iterable[Any],
        case_sensitive: bool = False,  # noqa: FBT001, FBT002
        attribute: str | int | None = None,
    ) -> Any:
        items = list(value)
        if not items:
            return environment.undefined("No aggregated item, sequence was empty.")
        return items[
            choose(range(len(items)), key=_sort_keys(environment, items, case_sensitive, attribute).__getitem__)
        ]

    return found


@pass_environment
def _groupby(environment: Environment, *args: Any, **kwargs: Any) -> list[Any]:
    """Jinja's `groupby`, with dates in order of time."""
    groups = FILTERS["groupby"](environment, *args, **kwargs)
    times = _times([group.grouper for group in groups])
    return [groups[index] for index in sorted(range(len(groups)), key=times.__getitem__)] if times else groups


def _filters() -> dict[str, Callable[..., Any]]:
    filters = {name: function for name, function in FILTERS.items() if name != "random"}
    filters |= {name: _textual(FILTERS[name]) for name in _TEXTUAL}
    filters |= {name: _listing(FILTERS[name]) for name in _LISTING}
    return filters | {
        "join": _join,
        "xmlattr": _xmlattr,
        "sort": _sort,
        "max": _extreme(max),
        "min": _extreme(min),
        "groupby": _groupby,
        TEXT: plain,
        _METHOD: _method,
    }


_FILTERS: Final = _filters()


MAX_TOKENS: Final = 10_000
"""The limit on tokens of template code in one text, which take about a tenth of a second."""


class TooManyTokensError(Exception):
    """A text contains more template code than is parsed."""


class TokenLimit(Extension):
    """Limits the tokens that Jinja parses, since time and memory grow with them. `line` is the last token's line."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.line = 0

    @classmethod
    def install(cls, environment: Environment) -> TokenLimit:
        """Install it in an environment, and return it."""
        environment.add_extension(cls)
        added = environment.extensions[cls.identifier]
        assert isinstance(added, cls)  # noqa: S101 - it was just made of it
        return added

    def begin(self) -> None:
        """Call before a text is parsed."""
        self.line = 0

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """The unchanged tokens. Raises TooManyTokensError at the first one beyond the limit."""
        for number, token in enumerate(stream):
            self.line = token.lineno
            if number >= MAX_TOKENS:
                raise TooManyTokensError
            yield token
