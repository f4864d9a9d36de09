"""Jinja's sandbox as the project has it: an output is a function of its inputs, and no rendering changes another.

- What becomes text is a plain value (`values`), whichever way it does: `{{ }}`, `~`, `%`, filters, `format`.
- `x.items` is a mapping's key, and `x.items()` its method.
- Dates tell neither the machine's time nor its zone. Classes have no attributes, since these are shared by all
  renderings in a worker.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from jinja2 import StrictUndefined, Undefined, nodes, pass_environment
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEscapeFormatter, SandboxedFormatter
from jinja2.utils import Cycler, Joiner, Namespace
from markupsafe import Markup

from kahnd.render.filters import PROJECT_FILTERS, TEXT
from kahnd.render.values import CLOCKLESS, formatted, plain

_METHOD: Final = ".()"
"""The filter that gives a mapping's method. No template can name it."""
_MAPPING_METHODS: Final = frozenset(name for name in dir(dict) if not name.startswith("_"))
_SHOWN: Final = 12


class Sandbox(ImmutableSandboxedEnvironment):
    """Strict about names, and about what becomes text."""

    intercepted_binops = frozenset({"%", "*", "**"})
    """The first makes text; the others are left for the rendering, which tells the line where they go too far."""

    def __init__(self, **options: Any) -> None:
        super().__init__(undefined=StrictUndefined, finalize=plain, **options)
        self.filters = _FILTERS
        # What gives something else each time is left out; a class would be shared by all renderings.
        del self.globals["lipsum"]
        self.globals.update(_GLOBALS)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: a mapping's key, and nothing else of it; of another object as in Jinja."""
        if isinstance(obj, dict):
            return self.getitem(obj, attribute)
        if isinstance(obj, dt.date | dt.time) and attribute == "strftime":
            return partial(formatted, obj)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`; of a mapping a key alone, be it a number that is written as text."""
        if not isinstance(obj, dict):
            return super().getitem(obj, argument)
        try:
            return obj[argument]
        except (KeyError, TypeError):
            if isinstance(argument, int) and str(argument) in obj:
                return obj[str(argument)]  # of `sum(attribute="2026")`, in which Jinja takes it for a number
        return self.undefined(_absent(obj, argument), obj=obj, name=str(argument))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may have it."""
        if isinstance(obj, type) or not super().is_safe_attribute(obj, attr, value):
            return False
        return not isinstance(obj, dt.date | dt.time | dt.tzinfo) or attr in CLOCKLESS or _is_absolute(obj, attr)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """What is there in the place of an attribute that a template may not have."""
        if isinstance(obj, dt.date | dt.time | dt.tzinfo) and not attribute.startswith("_"):
            message = f"`{attribute}` of a date depends on the machine's clock or zone, and an output must not"
            return self.undefined(message, obj=obj, name=attribute, exc=SecurityError)
        return super().unsafe_undefined(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`%`, which formats texts."""
        if isinstance(left, str):
            for each in right if isinstance(right, tuple) else [right]:
                plain(each)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - as in Jinja
        """A call; a text that is marked as HTML makes texts of what its methods are given."""
        if isinstance(getattr(__obj, "__self__", None), Markup):
            args = tuple(map(_read, args))
        return super().call(__context, __obj, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`format` and `format_map` of a text, of plain values."""
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


class _Plainly:
    """A formatter's ways to make a value text."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        """`!r` and the like."""
        return super().convert_field(plain(value), conversion)  # type: ignore[misc]

    def format_field(self, value: Any, format_spec: str) -> str:
        """A field."""
        if format_spec and isinstance(value, dt.date | dt.time):
            return formatted(value, format_spec)
        return super().format_field(plain(value), format_spec)  # type: ignore[misc, no-any-return]


class _Formatter(_Plainly, SandboxedFormatter):
    pass


class _EscapeFormatter(_Plainly, SandboxedEscapeFormatter):
    pass


@pass_environment
def _method(environment: Sandbox, obj: Any, name: str) -> Any:
    """What `obj.name(…)` calls: a mapping's method, whatever its keys are, since no value of data can be called."""
    if not isinstance(obj, dict) or callable(obj.get(name)):
        return environment.getattr(obj, name)
    return ImmutableSandboxedEnvironment.getattr(environment, obj, name)


def _filtered(environment: Sandbox, node: nodes.Expr, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    made = nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)
    return made.set_environment(environment)  # type: ignore[return-value]


def _read(value: Any) -> Any:
    """An argument of a text's method: read if it is a sequence, and plain."""
    if hasattr(value, "__next__"):
        value = list(value)
    for each in value if isinstance(value, list | tuple) else [value]:
        plain(each)
    return value


def _is_absolute(value: object, attribute: str) -> bool:
    """Whether it is the seconds since 1970 of a date with a zone: without one they depend on the machine's."""
    return attribute == "timestamp" and isinstance(value, dt.datetime) and value.utcoffset() is not None


def _absent(mapping: Mapping[Any, Any], key: object) -> str:
    told = f"`{key}`" if isinstance(key, str | int) else f"a {type(key).__name__}"
    names = [str(each) for each in list(mapping)[: _SHOWN + 1]]
    there = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"there is no {told} among the keys: {there}" if names else f"there is no {told}: there are no keys"


def _cycler(*items: Any) -> Cycler:
    return Cycler(*items)


def _joiner(sep: str = ", ") -> Joiner:
    return Joiner(plain(sep))


def _namespace(*args: Any, **kwargs: Any) -> Namespace:
    return Namespace(*args, **kwargs)


_FILTERS: Final = {**PROJECT_FILTERS, _METHOD: _method}
_GLOBALS: Final[Mapping[str, Any]] = {"cycler": _cycler, "joiner": _joiner, "namespace": _namespace}
