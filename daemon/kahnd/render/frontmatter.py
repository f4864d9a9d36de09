"""YAML front matter: the text between two `---` lines at the very start of a page; and what it says of outputs."""

from __future__ import annotations

import datetime as dt
import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from msgspec import structs

from kahnd.core.model import DocumentId, Problem
from kahnd.core.routes import META, MOST_ALIASES, Route, normalized, unsafe_part
from kahnd.core.rules import NEVER, PAGE, Layout, Rule
from kahnd.core.text import shortened
from kahnd.render.data.ordering import day, instant
from kahnd.render.data.parse import INVISIBLE, REPLACE_INVISIBLE, first_invisible
from kahnd.render.data.plain_yaml import YamlError, is_mapping, load_front_matter
from kahnd.render.files import ProblemError, decode

MAX_CHARACTERS: Final = 1 << 16
"""The limit on front matter, which the daemon itself reads."""
_REMEDY: Final = "correct the YAML between the `---` lines"
_OPENED: Final = re.compile(r"---[ \t]*\r?\n")
_CLOSED: Final = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_KEY: Final = re.compile(
    rf"""[ \t{INVISIBLE}]*(?:-[ ]+)?(?:[\w$.-]+|"[^"\n]*"|'[^'\n]*')[ \t{INVISIBLE}]*:(?:[\s{INVISIBLE}]|\Z)"""
)
_COMMENTED_KEY: Final = re.compile(r"[ \t]*#+[ \t]*[\w$.-]+[ \t]*:(?:\s|\Z)")
_ALMOST_OPENED: Final = re.compile(rf"[{INVISIBLE}]*---[ \t{INVISIBLE}]*\r?\n")
_DEEPEST: Final = 20
_UNPRINTABLE: Final = re.compile("[\\x7f-\\x9f\\u2028\\u2029\\ufeff\\ufdd0-\\ufdef\\ufffe\\uffff]")
_JINJA: Final = ("{{", "{%", "{#")
_ROUTING: Final = re.compile(r"\b(?:slug|permalink|aliases|outputs)\b")
_OF_PAGES: Final = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Parts:
    """A page's text, split into front matter and body. `lines` is the number of lines before the body."""

    body: str
    meta: dict[str, Any] = field(default_factory=dict)
    yaml: str = ""
    lines: int = 0

    def line_of(self, key: str) -> int:
        """The file's line of a key in the front matter; 0 if it is not found."""
        found = re.search(rf"^[\"']?{re.escape(key)}[\"']?\s*:", self.yaml, re.MULTILINE)
        return self.yaml.count("\n", 0, found.start()) + 2 if found else 0


def appears_at(meta: Mapping[str, Any]) -> int | None:
    """The time, in seconds since 1970, before which a page is not rendered; NEVER for a draft, None if it has none."""
    if meta.get("draft") is True:
        return NEVER
    date = instant(meta.get("date"))
    return None if date is None else math.ceil(date.timestamp())


def appearance_of(content: bytes, path: str) -> int | None:
    """The same for a page's bytes; None if they are broken, which its rendering reports."""
    try:
        return appears_at(split(decode(content, path), path).meta)
    except ProblemError:
        return None


def route_of(parts: Parts, document: DocumentId, layout: Layout) -> Route | None:
    """Where a document's front matter puts its outputs; None if it does not say. A mistake in it is the route's."""
    rule = layout.rule_of(document)
    names = layout.meta_names_of(document)
    if rule is None or not (names or (rule.reads_routes and _ROUTING.search(parts.yaml))):
        return None
    try:
        route = _Routing(parts, document).route(layout, rule)
    except ProblemError as error:
        return Route(problem=error.problem)
    return None if route == Route() else route


def route_in(content: bytes, document: DocumentId, layout: Layout) -> Route | None:
    """The same for a document's bytes. Broken front matter is a problem only if the path of an output needs it."""
    try:
        text = decode(content, document)
        parts = cut(text, document)
        if not (layout.meta_names_of(document) or _ROUTING.search(parts.yaml)):
            return None
        return route_of(split(text, document), document, layout)
    except ProblemError as error:
        return broken_route(document, layout, error.problem)


def broken_route(document: DocumentId, layout: Layout, problem: Problem) -> Route | None:
    """The route of a document whose front matter is broken: none, unless the path of an output needs its values."""
    return Route(problem=problem) if layout.meta_names_of(document) else None


@dataclass(frozen=True, slots=True)
class _Routing:
    """Reads the route in a document's front matter. Its methods raise ProblemError, with the line, for a mistake."""

    parts: Parts
    document: DocumentId

    def route(self, layout: Layout, rule: Rule) -> Route:
        """The route by the rule that renders the document."""
        aliases = tuple(dict.fromkeys(map(self._alias, self._texts("aliases"))))
        if len(aliases) > MOST_ALIASES:
            raise self._mistake("aliases", f"has more than {MOST_ALIASES}", "leave some out")
        if aliases and rule.renderer != PAGE:
            raise self._mistake("aliases", f"is not for {rule.renderer} rules, which make no pages", "leave it out")
        route = Route(
            self._safe("slug", self._text("slug")),
            self._permalink(),
            aliases,
            values=tuple((name, self._value(name)) for name in layout.meta_names_of(self.document)),
        )
        outputs = tuple(dict.fromkeys(each.removeprefix(".") for each in self._texts("outputs")))
        if not outputs and self.parts.meta.get("outputs") is not None:
            raise self._mistake("outputs", "names none", "name one, or leave it out for all")
        made = own = layout.outputs_by(rule, self.document, route)
        for rendering, other in layout.renderings_of(self.document).items():
            made += layout.outputs_by(other, rendering, route)
        for each in outputs:
            if not each or not any(path.endswith(f".{each}") for path in made):
                known = ", ".join(dict.fromkeys(posixpath.splitext(path)[1][1:] for path in made)) or "a folder"
                raise self._mistake("outputs", f"names {shortened(each)!r}, but its rule makes {known}", "correct it")
        found = structs.replace(route, outputs=outputs)
        if not any(map(found.makes, own)):
            raise self._mistake("outputs", f"leaves out all that its first rule makes, {own[0]}", "name one of these")
        return found

    def _mistake(self, key: str, message: str, remedy: str) -> ProblemError:
        return ProblemError(Problem(f"`{key}` {message}", self.document, self.parts.line_of(key) or 1, remedy))

    def _written(self, key: str, value: object) -> str:
        """A scalar as text, and a date as its day. Raises ProblemError for anything else."""
        if isinstance(value, dt.datetime):
            return value.date().isoformat()
        if isinstance(value, dt.date):
            return value.isoformat()
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self._mistake(key, "is no text, number or date", "write a text, or leave it out")
        return normalized(str(value))

    def _safe(self, key: str, text: str) -> str:
        """The same text. Raises ProblemError if it can't be a part of a path."""
        if text and (reason := unsafe_part(text)):
            remedy = "write a name or a path, such as notes/first"
            raise self._mistake(key, f"can't be a part of an output's path, since {reason}", remedy)
        return text

    def _text(self, key: str) -> str:
        """The text of a key; empty if it has none."""
        value = self.parts.meta.get(key)
        return "" if value is None else self._written(key, value)

    def _texts(self, key: str) -> Iterator[str]:
        """The texts of a key that has one or a list of them."""
        value = self.parts.meta.get(key)
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            yield self._written(key, each)

    def _permalink(self) -> str:
        given = self._text("permalink")
        path = given.removeprefix("/")
        self._safe("permalink", path.removesuffix("/"))
        if "/:" in f"/{path}":
            remedy = "write the path itself, or values of the front matter into the rule's `output`, as {meta.year}"
            raise self._mistake("permalink", "has a placeholder that begins with a colon", remedy)
        if path and not path.endswith("/") and not posixpath.splitext(path)[1]:
            remedy = f"write /{shortened(path)}/ for a folder's URL, or /{shortened(path)}.html"
            raise self._mistake("permalink", "names neither a folder nor a file with an extension", remedy)
        return f"/{path}" if given else ""

    def _alias(self, given: str) -> str:
        """The path of a redirect page; a folder's is its `index.html`, as for everything that is no HTML file."""
        top = "/" if given.startswith("/") else ""
        path = given.removeprefix("/").removesuffix("/")
        if not given:
            raise self._mistake("aliases", "has an empty path", "leave it out")
        self._safe("aliases", path)
        is_page = path.endswith(_OF_PAGES) and not given.endswith("/")
        return f"{top}{path}" if is_page else f"{top}{path}{'/' if path else ''}index.html"

    def _value(self, name: str) -> str:
        """The value of a placeholder."""
        found = META.fullmatch(name)
        assert found is not None  # noqa: S101 - the rule has only such names
        key, part = found[1], found[2]
        value = self.parts.meta.get(key)
        if value is None:
            remedy = f"write a line such as `{key}: …` between `---` lines at its beginning"
            raise self._mistake(key, f"is missing in its front matter, and the rule's `output` has {{{name}}}", remedy)
        if not part:
            text = self._written(key, value)
            if not text:
                raise self._mistake(key, f"is empty, and the rule's `output` has {{{name}}}", "give it a value")
            return self._safe(key, text)
        if (date := day(value)) is None:
            raise self._mistake(key, f"is no date, and the rule's `output` has {{{name}}}", "write it as 2026-01-31")
        return f"{getattr(date, part):04}" if part == "year" else f"{getattr(date, part):02}"


def split(text: str, path: str) -> Parts:
    """A page's front matter and body. Raises ProblemError, with the file's line, if the front matter is broken."""
    parts = cut(text, path)
    if not parts.lines:
        return parts
    try:
        meta = _parse(parts.yaml, path)
    except ProblemError:
        _refuse_invisible(parts.yaml, path)
        raise
    if any(key != key.strip(f" {INVISIBLE}") for key in meta if not key.isascii()):
        _refuse_invisible(parts.yaml, path)
    return replace(parts, meta=meta)


def cut(text: str, path: str) -> Parts:
    """As `split`, without the front matter's values. Raises ProblemError if the front matter is not closed.

    In a text without line feeds, carriage returns end the lines.

    A `---` that Markdown follows is a thematic break: the next line has no `key:`, and there is no YAML mapping up to
    the next `---`.
    """
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")
    opened = _OPENED.match(text)
    if not opened:
        if (mark := _ALMOST_OPENED.match(text)) and _begins_with_key(text[mark.end() :]):
            _refuse_invisible(text, path, above=0)
        return Parts(text)
    closed = _CLOSED.search(text, opened.end())
    source = text[opened.end() : closed.start() if closed else None]
    if not _begins_with_key(source) and not (closed and _is_mapping(source)):
        return Parts(text)
    if not closed:
        _refuse_invisible(source, path)
        raise ProblemError(
            Problem("its front matter is not closed", path, 1, "end it with a line `---`; for a rule write `***`")
        )
    body, lines = text[closed.end() :], text.count("\n", 0, closed.end())
    return Parts(body, yaml=source, lines=lines)


def _begins_with_key(source: str) -> bool:
    """Tell whether the first line that is no comment is a `key:`."""
    if not source.startswith("#"):
        return _KEY.match(source) is not None
    lines = source[:MAX_CHARACTERS].split("\n")
    return _KEY.match(next((line for line in lines if not line.startswith("#")), "")) is not None


def _is_mapping(source: str) -> bool:
    """Tell whether it is a YAML mapping, or empty but for commented keys; any other comment is a Markdown heading."""
    if len(source) > MAX_CHARACTERS:
        return False
    lines = [line for line in source.split("\n") if line.strip()]
    if all(map(_COMMENTED_KEY.match, lines)):
        return True
    if source.lstrip().startswith(_JINJA):
        return False
    return is_mapping(source)


def _refuse_invisible(source: str, path: str, *, above: int = 1) -> None:
    """Raise ProblemError for an invisible character before a key, at its end, after its colon, or beside a `---`.

    `above` is the number of lines before this text in the file.
    """
    if found := first_invisible(source[:MAX_CHARACTERS]):
        line = above + found.line
        message = f"its front matter has a {found.name} in line {line}, column {found.column}"
        raise ProblemError(Problem(message, path, line, REPLACE_INVISIBLE))


def _parse(source: str, path: str) -> dict[str, Any]:
    if len(source) > MAX_CHARACTERS:
        remedy = "keep long values in a data file, and read it by `data()`"
        raise ProblemError(Problem(f"its front matter is longer than {MAX_CHARACTERS >> 10} KiB", path, 1, remedy))
    try:
        meta = load_front_matter(source)
    except YamlError as error:
        line = error.line + 1
        raise ProblemError(Problem(f"its front matter is broken: {error}", path, line, _REMEDY)) from error
    if meta is None:
        raise ProblemError(Problem("its front matter is no list of `name: value`", path, 2, _REMEDY))
    return meta


def declared_bytes(text: object, meta: object) -> bytes:
    """The bytes of a document that is declared with a text and front matter. Raises TypeError or ValueError."""
    if not isinstance(text, str | bytes):
        str(text)  # raises the error of a value that a template lacks
        raise TypeError(f"its text is no text, but a {type(text).__name__}")
    body = text.encode() if isinstance(text, str) else text
    return written_meta(meta).encode() + body


def written_meta(meta: object) -> str:
    """Front matter with these values, the same for equal ones; empty for none. Raises TypeError or ValueError."""
    if meta is None or meta == {}:
        return ""
    if not isinstance(meta, Mapping):
        raise TypeError(f"its front matter is no mapping, but a {type(meta).__name__}")
    lines = (f"{_quoted(_key(key))}: {_written(value, 0)}\n" for key, value in sorted(meta.items(), key=_by_name))
    return f"---\n{''.join(lines)}---\n"


def _by_name(item: tuple[object, object]) -> str:
    return str(item[0])


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{key!r} is no name of a value in front matter")
    return key


def _written(value: object, depth: int) -> str:  # noqa: PLR0911 - a line a type
    """A value as YAML in one line."""
    if depth > _DEEPEST:
        raise ValueError(f"its front matter is nested more than {_DEEPEST} levels deep")
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return re.sub(r"^(-?\d+)e", r"\1.0e", repr(value))  # YAML wants a point
        case str():
            return _quoted(value)
        case dt.datetime():
            return value.isoformat(sep=" ")
        case dt.date():
            return value.isoformat()
        case Mapping():
            items = sorted(value.items(), key=_by_name)
            return f"{{{', '.join(f'{_quoted(_key(key))}: {_written(each, depth + 1)}' for key, each in items)}}}"
        case Sequence() if not isinstance(value, bytes):
            return f"[{', '.join(_written(each, depth + 1) for each in value)}]"
    str(value)  # raises the error of a value that a template lacks
    raise TypeError(f"a {type(value).__name__} is no value of front matter")


def _quoted(text: str) -> str:
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
