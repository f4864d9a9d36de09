"""Templates whose only tags are `{% include "a/path" %}`, as in most pages, taken apart and run without Jinja's parser.

The result is Jinja's own in the project's environment: a tag alone on its line leaves no line. Any other tag, or a `-`
in an include, leaves the text to Jinja. Python's compiler takes longer than all else here, so the code that renders
texts and includes in a given order is compiled once and then copied for each template.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import CodeType, FunctionType
from typing import Any, Final

from jinja2 import DictLoader, Environment, Template, TemplateNotFound

from kahnd.render import fast

COMMENT_START: Final = "{\ufdd0"
COMMENT_END: Final = "\ufdd0}"
"""Delimit comments for Jinja. The character is one that Unicode reserves for internal use."""
INDENTED: Final = "_indented"
CONTINUED: Final = "_continued"
"""The names of the filters `indented` and `continued` in templates."""

_LINE_END: Final = re.compile(r"\r\n?")
_OPENING: Final = re.compile(rf"\{{[{{%#{COMMENT_START[1]}]")
_OPENING_IN_PAGE: Final = re.compile(rf"\{{[{{%{COMMENT_START[1]}]")
_INCLUDE_ALONE: Final = re.compile(r"""^\{% include (?:"([^"\\\n]+)"|'([^'\\\n]+)') %\}(\n|\Z)""", re.MULTILINE)
_INCLUDE: Final = r"\{%[ \t]*include[ \t]*(?:\"([^\"\\\n]+)\"|'([^'\\\n]+)')[ \t]*"
_FILTER: Final = rf'\{{% filter ({INDENTED}|{CONTINUED})\("([^"\\\n]*)"(, False)?\) %\}}'
_END: Final = r"(?:%\}\n?|\+%\})"
_TAG: Final = re.compile(
    rf"{_FILTER}{_INCLUDE}%\}}\{{% endfilter {_END}|{_INCLUDE}{_END}"
    rf"|\{{#\n*#\}}\n?|{re.escape(COMMENT_START)}\n*{re.escape(COMMENT_END)}\n?"
)
"""An include, with the line end after it; or a comment of line ends alone, which stands in for front matter."""
_NAME: Final = "sample"
_SAMPLE: Final = 'a\n  {% include "b" %}\nc {% include "b" %} d\n'
_MISSING: Final = f'{_SAMPLE}{{% include "missing" %}}'


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An include tag: its path and line; `filter` is the filter around it, as its name and arguments."""

    path: str
    line: int
    filter: tuple[str, str, bool] | None = None

    def put(self, pieces: Iterable[str]) -> str:
        """The included text, after the filter."""
        text = "".join(pieces)
        if self.filter is None:
            return text
        name, before, ended = self.filter
        return indented(text, before, ended) if name == INDENTED else continued(text, before)


Part = str | Inclusion


def parts_of_page(body: str, lines: int) -> list[Part] | None:
    """The parts of a page's body as a template, if its only tags are includes alone on their lines; else None.

    The same as `parts_of` finds after `as_template`, in less time. `lines` is the number of lines before the body in
    its file; the end of the last one takes a first empty line with it.
    """
    if not _usable():
        return None
    text = _LINE_END.sub("\n", body)
    includes = list(_INCLUDE_ALONE.finditer(text))
    if len(_OPENING.findall(text)) != len(includes):
        return None
    parts: list[Part] = []
    end, line = 0, lines + 1
    if lines and text.startswith("\n"):
        end, line = 1, line + 1
    for each in includes:
        line += text.count("\n", end, each.start())
        parts += text[end : each.start()], Inclusion(each[1] or each[2], line, (INDENTED, "", bool(each[3])))
        line += len(each[3])
        end = each.end()
    return [part for part in (*parts, text[end:]) if part]


def parts_of(source: str, *, of_page: bool = False) -> list[Part] | None:
    """The texts and includes of a template, in order; None if it has other tags.

    With `of_page`, the source is what `as_template` gives for a page, where `{#` is text.
    """
    return _parts_of(source, of_page=of_page) if _usable() else None


def _parts_of(source: str, *, of_page: bool) -> list[Part] | None:
    text = _LINE_END.sub("\n", source)
    parts: list[Part] = []
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
    """The text before a tag, without the white space that is alone with the tag on its line."""
    start = text.rfind("\n") + 1
    return text[:start] if (start or begins_line) and not text[start:].strip() else text


@dataclass(frozen=True, slots=True)
class Composition:
    """A template of texts and includes in the form of Jinja's compiled templates, with the same lines in tracebacks."""

    name: str
    parts: Sequence[Part]

    def template(self, environment: Environment, variables: MutableMapping[str, Any]) -> Template:
        """The template in an environment; `variables` are its globals."""
        code, code_lines = _root(tuple(isinstance(part, str) for part in self.parts))
        inclusions = (part for part in self.parts if isinstance(part, Inclusion))
        lines = (f"{part.line}={line}" for part, line in zip(inclusions, code_lines, strict=True))
        module: dict[str, Any] = {
            "name": self.name,
            "__file__": self.name,
            "blocks": {},
            "debug_info": "&".join(lines),
            "environment": environment,
            "parts": self.parts,
        }
        module["root"] = FunctionType(code.replace(co_filename=self.name), module)
        return Template.from_module_dict(environment, module, variables)


@lru_cache(maxsize=64)
def _root(are_texts: tuple[bool, ...]) -> tuple[CodeType, tuple[int, ...]]:
    """The code that renders texts and includes in this order, and the line of each include in it."""
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
    exec("\n".join(source), namespace)  # noqa: S102 - contains nothing of the template
    return namespace["root"].__code__, tuple(lines)


def _usable() -> bool:
    return fast.is_on() and _agrees_with_jinja()


@cache
def _agrees_with_jinja() -> bool:
    return fast.passes("includes", lambda: all(map(_is_as_by_jinja, (_SAMPLE, _MISSING))))


def _is_as_by_jinja(source: str) -> bool:
    loader = DictLoader({"b": "<{{ x }}>\n"})
    environment = Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    by_jinja = Template.from_code(environment, environment.compile(source, _NAME, _NAME), {"x": "y"})
    ours = Composition(_NAME, _parts_of(source, of_page=False) or ()).template(environment, {"x": "y"})
    return _outcome(ours) == _outcome(by_jinja)


def _outcome(template: Template) -> tuple[str, list[int | None]]:
    """The rendered text; or the missing template's name and the lines that ask for it."""
    try:
        return template.render(), []
    except TemplateNotFound as error:
        frames = traceback.extract_tb(error.__traceback__)
        return str(error), [frame.lineno for frame in frames if frame.filename == _NAME]


def indented(text: str, before: str, ended: bool = True) -> str:  # noqa: FBT001, FBT002 - as a template calls it
    """Put `before` in front of each line that is not empty; add a line end at the end if the tag's own line has one."""
    if not text:
        return text
    lines = text if not before else "\n".join(f"{before}{line}" if line.strip() else line for line in text.split("\n"))
    return f"{lines}\n" if ended and not lines.endswith("\n") else lines


def continued(text: str, before: str) -> str:
    """Put `before` in front of each line but the first, and leave out the last line's end."""
    first, *others = text.removesuffix("\n").split("\n")
    return "\n".join(
        (first, *(f"{before}{line}".rstrip() if not line.strip() else f"{before}{line}" for line in others))
    )
