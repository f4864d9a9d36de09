"""Texts whose only Jinja is `{% include "a/path" %}`, as most pages' is: taken apart without Jinja's parser.

What comes out is what Jinja makes of them in the project's environment: a tag alone on its line leaves no line.
Whatever else is Jinja's in a text (a `-` in the tag is enough) is left to Jinja itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Final

from jinja2 import Environment, Template

from kahnd.render.page_source import COMMENT_END, COMMENT_START, CONTINUED, INDENTED, continued, indented

_LINE_END: Final = re.compile(r"\r\n?")
_OPENING: Final = re.compile(rf"\{{[{{%#{COMMENT_START[1]}]")
_OPENING_IN_PAGE: Final = re.compile(rf"\{{[{{%{COMMENT_START[1]}]")
_INCLUDE: Final = r"\{%[ \t]*include[ \t]*(?:\"([^\"\\\n]+)\"|'([^'\\\n]+)')[ \t]*"
_FILTER: Final = rf'\{{% filter ({INDENTED}|{CONTINUED})\("([^"\\\n]*)"(, False)?\) %\}}'
_END: Final = r"(?:%\}\n?|\+%\})"
_TAG: Final = re.compile(
    rf"{_FILTER}{_INCLUDE}%\}}\{{% endfilter {_END}|{_INCLUDE}{_END}"
    rf"|\{{#\n*#\}}\n?|{re.escape(COMMENT_START)}\n*{re.escape(COMMENT_END)}\n?"
)
"""Also the comment that stands for a page's front matter. With the line's end after it: that goes with a tag."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What a tag asks for, and its line; `placed` makes its lines those of the place where the tag stands."""

    path: str
    line: int
    placed: tuple[str, str, bool] | None = None

    def put(self, pieces: Iterable[str]) -> str:
        """What is included, in its place."""
        text = "".join(pieces)
        if self.placed is None:
            return text
        how, before, ended = self.placed
        return indented(text, before, ended) if how == INDENTED else continued(text, before)


def parts_of(source: str, *, of_page: bool = False) -> list[str | Inclusion] | None:
    """The texts and inclusions that a text consists of, in order; None where there is other Jinja in it.

    For a page, this is its text as a template, where `{#` is only text.
    """
    text = _LINE_END.sub("\n", source)
    parts: list[str | Inclusion] = []
    end, line = 0, 1
    expression = _OPENING_IN_PAGE if of_page else _OPENING
    while opening := expression.search(text, end):
        tag = _TAG.match(text, opening.start())
        if not tag:
            return None
        before = text[end : tag.start()]
        line += before.count("\n")
        parts.append(_unindented(before, begins_line=not end or text[end - 1] == "\n"))
        if path := tag[4] or tag[5] or tag[6] or tag[7]:
            parts.append(Inclusion(path, line, (tag[1], tag[2], not tag[3]) if tag[1] else None))
        line += tag[0].count("\n")
        end = tag.end()
    return [part for part in (*parts, text[end:]) if part]


def _unindented(text: str, *, begins_line: bool) -> str:
    """What stands before a tag, without the blanks that are alone with it on its line."""
    start = text.rfind("\n") + 1
    return text[:start] if (start or begins_line) and not text[start:].strip() else text


@dataclass(frozen=True, slots=True)
class Composition:
    """A template of such parts, as Jinja runs it: with the same lines in a traceback."""

    name: str
    parts: Sequence[str | Inclusion]

    def template(self, environment: Environment, variables: MutableMapping[str, Any]) -> Template:
        """The template in an environment; `variables` are its globals."""
        code, lines = _root(tuple(isinstance(part, str) for part in self.parts))
        inclusions = (part for part in self.parts if isinstance(part, Inclusion))
        places = (f"{part.line}={line}" for part, line in zip(inclusions, lines, strict=True))
        module: dict[str, Any] = {
            "name": self.name,
            "__file__": self.name,
            "blocks": {},
            "debug_info": "&".join(places),
            "environment": environment,
            "parts": self.parts,
        }
        module["root"] = FunctionType(code.replace(co_filename=self.name), module)
        return Template.from_module_dict(environment, module, variables)


@lru_cache(maxsize=64)
def _root(are_texts: tuple[bool, ...]) -> tuple[CodeType, tuple[int, ...]]:
    """What renders a template of texts and inclusions in this order, and the line of each of these in it.

    Python's compiler takes longer than all else here, and most pages have few parts.
    """
    source = ["def root(context):", " if 0: yield"]
    lines: list[int] = []
    for number, is_text in enumerate(are_texts):
        if is_text:
            source.append(f" yield parts[{number}]")
        else:
            lines.append(len(source) + 1)
            source.append(
                f" template = environment.get_template(parts[{number}].path, name); yield parts[{number}].put("
                "template.root_render_func(template.new_context(context.get_all(), True, {})))"
            )
    namespace: dict[str, Any] = {}
    exec("\n".join(source), namespace)  # noqa: S102 - nothing of a template's is in it
    return namespace["root"].__code__, tuple(lines)
