"""Documents, rules and plug-ins as values with a JSON form, and their texts in a project.

Their outputs follow from this alone: a page's body is one block of HTML without empty lines, which Markdown leaves
alone.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from typing import Final, Literal
from urllib.parse import quote

import msgspec

from agreement import blocks
from agreement.blocks import Block
from agreement.configuration import Config
from agreement.plugin import Plugin, plugin_files
from agreement.values import Value

TEXTS: Final = (".md", ".alt", ".txt", ".html")
PAGES: Final = (".md", ".alt")
SHEETS: Final = (".json", ".csv")
COLUMNS: Final = ("items", "values", "keys", "copy", "count")


# The items of a text, one in each line. `target` and `sheet` are references as users write them.


class Word(Value, frozen=True):
    text: str


class Include(Value, frozen=True):
    target: str
    optional: bool = False


class IncludeIf(Value, frozen=True):
    sheet: str
    target: str


class IncludeNamed(Value, frozen=True):
    sheet: str


class Cell(Value, frozen=True):
    sheet: str


class Column(Value, frozen=True):
    """A value of data whose name is also a method's."""

    sheet: str
    name: Literal["items", "values", "keys", "copy", "count"]


class OfPage(Value, frozen=True):
    target: str
    facet: Literal["title", "rank", "url", "text"]


class OfPages(Value, frozen=True):
    pattern: str
    facet: Literal["title", "rank", "url", "text"]
    sort: Literal["path", "title", "rank", "-rank", "date", "-date"]


class OfOutput(Value, frozen=True):
    """An output; `name` is that of one of several."""

    target: str
    facet: Literal["url", "text"]
    name: str = ""


class Own(Value, frozen=True):
    facet: Literal["title", "url"]


class Link(Value, frozen=True):
    """A link, which only a page resolves; `part` is a heading's id, if it leads to one."""

    target: str
    part: str = ""


class Content(Value, frozen=True):
    """The place of the page's HTML in a layout."""


class Marked(Value, frozen=True):
    """A word between the marks of an anchor."""

    name: str
    word: str


class Filtered(Value, frozen=True):
    """A word through the project's filter, which not every rule has."""

    word: str


class Hooked(Value, frozen=True):
    """A mark that a hook of the page replaces by the plug-in's word."""


Item = (
    Word
    | Include
    | IncludeIf
    | IncludeNamed
    | Cell
    | Column
    | OfPage
    | OfPages
    | OfOutput
    | Own
    | Link
    | Content
    | Marked
    | Filtered
    | Hooked
    | Block
)


# Documents

DATES: Final = {
    "2025-12-31 10:00:00 +0100": 0,
    "2026-1-5": 1,
    "2026-01-10": 2,
    "2026-02-01T08:00:00Z": 3,
    '"2026-03-01"': 4,
    "2999-01-01": 5,
}
"""Dates in various spellings, and their order."""
LATER: Final = frozenset({"2999-01-01"})
"""The dates to come."""


class Matter(Value, frozen=True):
    """A page's front matter; empty values are left out. `title` and `date` are written as they are."""

    title: str = ""
    rank: int = 0
    date: str = ""
    depends_on: tuple[str, ...] = ()
    template: str = ""
    draft: bool = False
    slug: str = ""
    permalink: str = ""
    aliases: tuple[str, ...] = ()


class Text(Value, frozen=True):
    """A page, a template, a partial or a layout."""

    items: tuple[Item, ...] = ()
    matter: Matter = Matter()
    heading: str = ""
    broken: Literal["", "syntax", "undefined", "unclosed", "yaml"] = ""


class Sheet(Value, frozen=True):
    """A row of data: a word to show, a flag for conditions, and the name of a document to include."""

    word: str
    flag: bool = False
    name: str = ""
    broken: bool = False


class Script(Value, frozen=True):
    """Lines of a verb and a word for a command or a plug-in; `fail` makes it fail. `declares`: further documents."""

    lines: tuple[tuple[str, str], ...] = ()
    broken: bool = False
    declares: tuple[Declared, ...] = ()

    def written(self) -> Iterator[tuple[str, str]]:
        """Yields all lines, without one that makes it fail."""
        yield from self.lines
        for each in self.declares:
            text = source(posixpath.basename(each.path), each.document)
            yield "declare", f"{each.path} {text.encode().hex()}"  # which means nothing to templates and Markdown


class Declared(Value, frozen=True):
    """A document that a plug-in declares, at a path relative to its own."""

    path: str
    document: Text | Script


class Empty(Value, frozen=True):
    """A file between its truncation and its writing."""


Document = Text | Sheet | Script | Empty


BROKEN_CONFIG: Final = "[project]\nname = \n"


class Tree(Value, frozen=True):
    """All of a project's files at one moment. If kahnd.toml is broken, `config` is the last valid one."""

    documents: dict[str, Document] = msgspec.field(default_factory=dict)
    config: Config = Config()
    plugin: Plugin = Plugin()
    config_broken: bool = False

    def files(self) -> dict[str, str | None]:
        """Returns the text of every file; None for a missing file of the plug-in."""
        texts = {path: source(path, document) for path, document in self.documents.items()}
        config = BROKEN_CONFIG if self.config_broken else self.config.toml
        return {**texts, **plugin_files(self.plugin), "kahnd.toml": config}


# Source texts


def source(path: str, document: Document) -> str:
    """Returns the content of a document's file."""
    match document:
        case Text():
            return _matter(document) + body(path, document) if is_page(path) else body(path, document)
        case Sheet():
            return _json(document) if path.endswith(".json") else _csv(document)
        case Script():
            lines = [*document.written(), *([("fail", "here")] if document.broken else [])]
            return "".join(f"{verb} {rest}\n" for verb, rest in lines)
        case Empty():
            return ""


def body(path: str, document: Text) -> str:
    """Returns a text's source after its front matter."""
    lines = "".join(f"{line}\n" for line in _lines(document))
    heading = f"# {document.heading}\n" if document.heading else ""
    return f"{heading}<div>\n{lines}</div>\n" if is_page(path) else lines


def is_page(path: str) -> bool:
    """Returns whether a text at this path is written like a page."""
    return path.endswith(PAGES)


def _matter(document: Text) -> str:
    matter = document.matter
    if document.broken == "unclosed":
        return "---\ntitle: open\n"
    values = {
        "title": matter.title,
        "rank": matter.rank,
        "date": matter.date,
        "depends_on": _json_text(list(matter.depends_on)) if matter.depends_on else "",
        "template": matter.template,
        "draft": "true" if matter.draft else "",
        "slug": matter.slug,
        "permalink": matter.permalink,
        "aliases": _json_text(list(matter.aliases)) if matter.aliases else "",
    }
    lines = [f"{key}: {value}\n" for key, value in values.items() if value]
    lines += ["wrong: [\n"] if document.broken == "yaml" else []
    return f"---\n{''.join(lines)}---\n" if lines else ""


def _lines(document: Text) -> Iterator[str]:
    yield from (line(item) for item in document.items)
    if document.broken == "syntax":
        yield "{% if %}"
    if document.broken == "undefined":
        yield "{{ nothing }}"


def line(item: Item) -> str:  # noqa: C901, PLR0911, PLR0912 - a line an item
    """Returns an item in the template's syntax."""
    match item:
        case Word(text):
            return text
        case Include(target, optional):
            return f'{{% include "{target}"{" ignore missing" if optional else ""} %}}'
        case IncludeIf(sheet, target):
            return f'{{% if {_row(sheet)}.flag %}}{{% include "{target}" %}}{{% endif %}}'
        case IncludeNamed(sheet):
            return f"{{% include {_row(sheet)}.name %}}"
        case Cell(sheet):
            return f"cell {{{{ {_row(sheet)}.word }}}}"
        case Column(sheet, name):
            return f"column {{{{ {_row(sheet)}.{name} }}}}"
        case OfPage(target, facet):
            return f'page {{{{ page("{target}"){_FACETS[facet]} }}}}'
        case OfPages(pattern, facet, sort):
            loop = f'{{% for each in pages("{pattern}", sort="{sort}") %}}'
            return f"pages {loop}{{{{ each{_FACETS[facet]} }}}},{{% endfor %}};"
        case OfOutput(target, facet, name):
            given = f'"{target}", "{name}"' if name else f'"{target}"'
            return f"output {{{{ output({given}){_FACETS[facet]} }}}}"
        case Own(facet):
            return f"own {{{{ page.{facet} }}}}"
        case Link(target, part):
            return link(quote(target) + (f"#{part}" if part else ""))
        case Content():
            return "content {{ content }};"
        case Marked(name, word):
            return f"ANCHOR: {name}\n{word}\nANCHOR_END: {name}"
        case Filtered(word):
            return f'filtered {{{{ "{word}" | shouted }}}}'
        case Hooked():
            return "hooked @v@"
        case _:
            return f"{blocks.BEFORE}{blocks.written(item)}{blocks.AFTER}"


def link(url: str) -> str:
    """Returns a link as it is written, in a source and in an output."""
    return f'<a href="{url}">x</a>'


_FACETS: Final = {"title": ".title", "url": ".url", "text": ".text | urlencode", "rank": '.get("rank", "none")'}


def _row(sheet: str) -> str:
    return f'data("{sheet}")' + ("[0]" if posixpath.splitext(sheet)[1] == ".csv" else "")


def _json(sheet: Sheet) -> str:
    columns = {name: column(sheet, name) for name in COLUMNS}
    row = {"word": sheet.word, "flag": sheet.flag, "name": sheet.name, **columns}
    return "{\n" if sheet.broken else f"{_json_text(row)}\n"


def _csv(sheet: Sheet) -> str:
    columns = "".join(f",{column(sheet, name)}" for name in COLUMNS)
    row = "" if sheet.broken else f",{'yes' if sheet.flag else ''},{sheet.name}{columns}"
    return f"word,flag,name,{','.join(COLUMNS)}\n{sheet.word}{row}\n"


def column(sheet: Sheet, name: str) -> str:
    """Returns the value of a column that is named like a method."""
    return f"{name} {sheet.word}"


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
