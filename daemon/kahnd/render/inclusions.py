"""Texts whose only Jinja is `{% include "a/path" %}`, as most pages' is: taken apart without Jinja's parser.

What comes out is what Jinja makes of them in the project's environment: a tag alone on its line leaves no line.
Whatever else is Jinja's in a text (a `-` in the tag is enough) is left to Jinja itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import CodeType
from typing import Final

_LINE_END: Final = re.compile(r"\r\n?")
_OPENING: Final = re.compile(r"\{[{%#]")
_TAG: Final = re.compile(r"\{%[ \t]*include[ \t]*(?:\"([^\"\\\n]+)\"|'([^'\\\n]+)')[ \t]*%\}\n?|\{#\n*#\}\n?")
"""Also the comment that stands for a page's front matter. With the line's end after it: that goes with a tag."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What a tag asks for, and its line."""

    path: str
    line: int


def parts_of(source: str) -> list[str | Inclusion] | None:
    """The texts and inclusions that a text consists of, in order; None where there is other Jinja in it."""
    text = _LINE_END.sub("\n", source)
    parts: list[str | Inclusion] = []
    end, line = 0, 1
    while opening := _OPENING.search(text, end):
        tag = _TAG.match(text, opening.start())
        if not tag:
            return None
        before = text[end : tag.start()]
        line += before.count("\n")
        parts.append(_unindented(before, begins_line=not end or text[end - 1] == "\n"))
        if path := tag[1] or tag[2]:
            parts.append(Inclusion(path, line))
        line += tag[0].count("\n")
        end = tag.end()
    return [part for part in (*parts, text[end:]) if part]


def _unindented(text: str, *, begins_line: bool) -> str:
    """What stands before a tag, without the blanks that are alone with it on its line."""
    start = text.rfind("\n") + 1
    return text[:start] if (start or begins_line) and not text[start:].strip() else text


def code_of(parts: Iterable[str | Inclusion], name: str) -> CodeType:
    """The module that Jinja compiles a template to, as far as these parts need one."""
    lines = ["def root(context, environment=environment):", " if 0: yield"]
    places: list[str] = []
    for part in parts:
        if isinstance(part, str):
            lines.append(f" yield {part!r}")
        else:
            lines.append(f" template = environment.get_template({part.path!r}, {name!r})")
            places.append(f"{part.line}={len(lines)}")
            lines.append(" yield from template.root_render_func(template.new_context(context.get_all(), True, {}))")
            places.append(f"{part.line}={len(lines)}")
    known = f"name, blocks, debug_info = {name!r}, {{}}, {'&'.join(places)!r}"
    return compile("\n".join([*lines, known]), name, "exec")
