"""Parses YAML to plain values: other types are refused, and time and memory are bounded by the size of the text.

The types are those of YAML 1.1, as in PyYAML, with one exception: `14:30` is text and no number in base 60. Aliases are
limited by their expanded size, since a template may turn them into text.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

MAX_DEPTH: Final = 100
MAX_DIGITS: Final = 4300
"""Python converts no longer integer to text."""
_MAX_BITS: Final = 14_284
_TOO_LONG: Final = f"a number has more than {MAX_DIGITS} digits: put it in quotes"
_NESTING: Final = "[{:-?"
_ALIASES: Final = 1_000_000
"""The characters that aliases may add when expanded, beyond ten times the size of the text."""

_TAG: Final = "tag:yaml.org,2002:"
_RESOLVER: Final = yaml.resolver.Resolver.yaml_implicit_resolvers
_NOT_BASE_60: Final = {
    f"{_TAG}int": re.compile(r"[-+]?(?:0b[0-1_]+|0[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)\Z"),
    f"{_TAG}float": re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
}
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)"
    r"(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d):(\d\d)(?:\.(\d*))?(?:[ \t]*(?:Z|([-+])(\d\d?)(?::(\d\d))?))?)?\Z",
    re.ASCII,
)
_BOOLEANS: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_UNTYPED: Final = frozenset({f"{_TAG}str", f"{_TAG}merge", f"{_TAG}value"})


class YamlError(ValueError):
    """The text is no YAML, or is refused; `line` counts from 1, and is 0 if unknown."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


class _ShallowLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes in C, which overflows the stack for deep nesting."""

    yaml_implicit_resolvers: Final = {
        first: [(tag, _NOT_BASE_60.get(tag, pattern)) for tag, pattern in resolvers]
        for first, resolvers in _RESOLVER.items()
    }


_IN_PYTHON: Final = (_ShallowLoader,) if issubclass(_ShallowLoader, Composer) else (Composer, _ShallowLoader)
"""Without libyaml, PyYAML's own loader composes in Python already."""


class _Loader(*_IN_PYTHON):  # type: ignore[misc]
    """Composes nodes in Python, up to MAX_DEPTH.

    No event is read beyond that, since the parser's time grows with the square of the depth.
    """

    def __init__(self, source: str) -> None:
        _ShallowLoader.__init__(self, source)  # type: ignore[call-arg]
        Composer.__init__(self)
        self._depth = 0

    def descend_resolver(self, parent: Node | None, index: object) -> None:
        """Enter a level. Raises YamlError beyond MAX_DEPTH."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise YamlError(f"it is nested more than {MAX_DEPTH} deep", self.peek_event().start_mark.line + 1)

    def ascend_resolver(self) -> None:
        """Leave a level."""
        self._depth -= 1


def load(source: str) -> Any:
    """The value of a YAML text. Raises YamlError."""
    root = _compose(source)
    return None if root is None else _Values(len(source)).of(root)


def load_front_matter(source: str) -> dict[str, Any] | None:
    """The values by key; None if the text is no mapping. Raises YamlError.

    Keys and the `title` are kept as text, as written.
    """
    root = _compose(source)
    if root is None or _is_null(root):
        return {}
    return _Values(len(source)).named(root) if isinstance(root, MappingNode) else None


def is_mapping(source: str) -> bool:
    """Tell whether the text is a YAML mapping."""
    try:
        return isinstance(_compose(source), MappingNode)
    except YamlError:
        return False


def _compose(source: str) -> Node | None:
    try:
        return _root(source)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else _line_of_character(source)
        raise YamlError(getattr(error, "problem", None) or str(error).partition("\n")[0], line) from error


def _root(source: str) -> Node | None:
    loader = _ShallowLoader(source) if _is_shallow(source) else _Loader(source)
    try:
        node: Node | None = loader.get_single_node()
    finally:
        loader.dispose()
    return node


def _is_shallow(source: str) -> bool:
    """Tell whether the text can't exceed MAX_DEPTH: each level takes one of these characters.

    Texts with aliases are left to the loader in Python, whose errors name them.
    """
    return "*" not in source and sum(map(source.count, _NESTING)) < MAX_DEPTH


def _line_of_character(source: str) -> int:
    """The line of the first character that YAML does not allow; 0 if there is none."""
    found = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", source)
    return source.count("\n", 0, found.start()) + 1 if found else 0


class _Values:
    """Converts nodes to values; the value of a node with aliases is converted once and shared."""

    def __init__(self, characters: int) -> None:
        self._allowed = 10 * characters + _ALIASES
        self._made: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()

    def of(self, node: Node) -> Any:
        """A node's value."""
        return self._weighed(node)[0]

    def named(self, node: MappingNode) -> dict[str, Any]:
        """The values of a mapping by its keys as written."""
        found = {str(name): value for name, value in self._merged(node)[0].items()}
        own: set[str] = set()
        for key, value in self._pairs(node):
            name = key.value if isinstance(key, ScalarNode) else str(self._key(key))
            self._add_new(name, own, key)
            found[name] = self._title(value) if name == "title" else self.of(value)
        return found

    def _title(self, node: Node) -> str | None:
        if not isinstance(node, ScalarNode):
            kind = "list" if isinstance(node, SequenceNode) else "mapping"
            raise _at(node, f"`title` is a {kind}, and no text")
        if node.tag not in _UNTYPED and node.tag not in _SCALARS:
            raise _unfit(node, "a text")
        return None if _is_null(node) else node.value.rstrip("\n")

    def _weighed(self, node: Node) -> tuple[Any, int]:
        """A node's value, and its size in characters with all aliases expanded."""
        if (known := self._made.get(id(node))) is not None:
            return known
        if id(node) in self._open:
            raise _at(node, "an alias in it stands for what it is in")
        if isinstance(node, ScalarNode):
            made = _scalar(node), len(node.value) + 1
        else:
            self._open.add(id(node))
            made = self._list(node) if isinstance(node, SequenceNode) else self._mapping(node)  # type: ignore[arg-type]
            self._open.discard(id(node))
        self._check(made[1], node)
        self._made[id(node)] = made
        return made

    def _list(self, node: SequenceNode) -> tuple[Any, int]:
        items = [self._weighed(each) for each in node.value]
        weight = 1 + sum(weight for _, weight in items)
        values = [value for value, _ in items]
        if node.tag == f"{_TAG}seq":
            return values, weight
        if node.tag in {f"{_TAG}omap", f"{_TAG}pairs"}:
            pairs = [_only_item(each, value) for each, value in zip(node.value, values, strict=True)]
            return (dict(pairs) if node.tag == f"{_TAG}omap" else pairs), weight
        raise _unfit(node, "a list")

    def _mapping(self, node: MappingNode) -> tuple[Any, int]:
        if node.tag not in {f"{_TAG}map", f"{_TAG}set"}:
            raise _unfit(node, "a mapping")
        found, weight = self._merged(node)
        own: set[Any] = set()
        for key_node, value_node in self._pairs(node):
            key = self._key(key_node)
            self._add_new(key, own, key_node)
            found[key], value_weight = self._weighed(value_node)
            weight += len(str(key)) + value_weight
        return (list(found) if node.tag == f"{_TAG}set" else found), weight

    def _key(self, node: Node) -> Any:
        if not isinstance(node, ScalarNode):
            raise _at(node, "a key is a list or a mapping")
        return _scalar(node)

    def _add_new(self, key: object, own: set[Any], node: Node) -> None:
        if key in own:
            raise _at(node, f"`{_shown(node.value)}` stands there twice")
        own.add(key)

    def _pairs(self, node: MappingNode) -> Iterator[tuple[Node, Node]]:
        return ((key, value) for key, value in node.value if key.tag != f"{_TAG}merge")

    def _merged(self, node: MappingNode) -> tuple[dict[Any, Any], int]:
        """The values that `<<` merges; of a list of mappings, the first one with a key counts."""
        found: dict[Any, Any] = {}
        weight = 1
        for value in (value for key, value in node.value if key.tag == f"{_TAG}merge"):
            for each in reversed(value.value if isinstance(value, SequenceNode) else [value]):
                brought, brought_weight = self._weighed(each)
                if not isinstance(brought, dict):
                    raise _at(each, "`<<` takes a mapping, or a list of them")
                self._check(weight := weight + brought_weight, each)
                found.update(brought)
        return found, weight

    def _check(self, weight: int, node: Node) -> None:
        if weight > self._allowed:
            raise _at(node, "its aliases come to too much when they are written out")


def _only_item(node: Node, value: Any) -> tuple[Any, Any]:
    if isinstance(value, dict) and len(value) == 1:
        return next(iter(value.items()))
    raise _at(node, f"{node.tag} takes a list of mappings with one key each")


def _scalar(node: ScalarNode) -> Any:
    if node.tag in _UNTYPED:
        return _text(node)
    make = _SCALARS.get(node.tag)
    if make is None:
        raise _unfit(node, "a text")
    try:
        return make(node.value)
    except (ValueError, KeyError, OverflowError, binascii.Error) as error:
        reason = str(error) if isinstance(error, _RefusedError) else f"`{_shown(node.value)}` is no {_name(node.tag)}"
        reason += f": {error}" if type(error) is ValueError and node.tag == f"{_TAG}timestamp" else ""
        raise _at(node, reason) from error


class _RefusedError(ValueError):
    """A value is refused for a reason that its message says."""


def _text(node: ScalarNode) -> str:
    value: str = node.value
    if node.style == '"' and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _at(node, r"it has half a character, an escape such as \ud800") from error
    return value


def _boolean(value: str) -> bool:
    return _BOOLEANS[value.lower()]


def _integer(value: str) -> int:
    digits = value.replace("_", "")
    if len(digits) > MAX_DIGITS:
        raise _RefusedError(_TOO_LONG)
    sign, digits = (-1 if digits.startswith("-") else 1), digits.lstrip("+-")
    base = {"0b": 2, "0x": 16}.get(digits[:2], 8 if digits.startswith("0") else 10)
    number = int(digits[2:] if base in {2, 16} else digits, base)
    if number.bit_length() > _MAX_BITS:
        raise _RefusedError(_TOO_LONG)
    return sign * number


def _float(value: str) -> float:
    if len(value) > MAX_DIGITS:
        raise _RefusedError(_TOO_LONG)
    number = value.replace("_", "").lower()
    return float(number.replace(".inf", "inf").replace(".nan", "nan"))


def _timestamp(value: str) -> dt.date:
    found = _TIMESTAMP.match(value)
    if found is None:
        raise KeyError(value)
    year, month, day, hour, minute, second, fraction, sign, *offset = found.groups()
    date = dt.date(int(year), int(month), int(day))
    if hour is None:
        return date
    micros = int(((fraction or "") + "000000")[:6])
    time = dt.time(int(hour), int(minute), int(second), micros, _zone(value, sign, offset))
    return dt.datetime.combine(date, time)


def _zone(value: str, sign: str | None, offset: list[str | None]) -> dt.timezone | None:
    if sign is None:
        return dt.UTC if value.endswith("Z") else None
    hours, minutes = (int(each or 0) for each in offset)
    distance = dt.timedelta(hours=hours, minutes=minutes)
    return dt.timezone(-distance if sign == "-" else distance)


def _binary(value: str) -> bytes:
    return base64.b64decode("".join(value.split()).encode("ascii"), validate=True)


_SCALARS: Final[dict[str, Callable[[str], Any]]] = {
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": _boolean,
    f"{_TAG}int": _integer,
    f"{_TAG}float": _float,
    f"{_TAG}timestamp": _timestamp,
    f"{_TAG}binary": _binary,
}


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and bool(node.tag == f"{_TAG}null")


def _at(node: Node, reason: str) -> YamlError:
    return YamlError(reason, node.start_mark.line + 1)


def _unfit(node: Node, given: str) -> YamlError:
    known = node.tag.startswith(_TAG)
    return _at(node, f"{given} is no {_name(node.tag)}" if known else f"the tag `{_shown(node.tag)}` is not known")


def _name(tag: str) -> str:
    return _shown(tag.removeprefix(_TAG))


def _shown(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - enough to find it by
