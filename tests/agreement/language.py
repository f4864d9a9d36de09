"""Documents, rules and plug-ins as values with a JSON form, and the text they stand for in a project.

Nothing that they render to needs to know more than this: a page's body is one block of HTML, which Markdown leaves
alone, and no line of it is ever empty.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from agreement.values import Value
from agreement.ways import TOOL, Config

TEXTS: Final = (".md", ".alt", ".txt", ".html")
PAGES: Final = (".md", ".alt")
SHEETS: Final = (".json", ".csv")
COLUMNS: Final = ("items", "values", "keys", "copy", "count")


# What stands in a text, a line each. `target` and `sheet` are references as users write them.


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
    """A value of data by a name that is also a method's."""

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
    target: str
    facet: Literal["url", "text"]


class Own(Value, frozen=True):
    facet: Literal["title", "url"]


class Content(Value, frozen=True):
    """In a layout: where the page's HTML goes."""


Item = Word | Include | IncludeIf | IncludeNamed | Cell | Column | OfPage | OfPages | OfOutput | Own | Content


# Documents

DATES: Final = {
    "2025-12-31 10:00:00 +0100": 0,
    "2026-1-5": 1,
    "2026-01-10": 2,
    "2026-02-01T08:00:00Z": 3,
    '"2026-03-01"': 4,
}
"""Dates in the spellings that people use, and their order."""


class Matter(Value, frozen=True):
    """A page's front matter; what is empty is not there. `title` and `date` stand as they are written."""

    title: str = ""
    rank: int = 0
    date: str = ""
    depends_on: tuple[str, ...] = ()
    template: str = ""


class Text(Value, frozen=True):
    """A page, a template, a partial or a layout."""

    items: tuple[Item, ...] = ()
    matter: Matter = Matter()
    heading: str = ""
    broken: Literal["", "syntax", "undefined", "unclosed", "yaml"] = ""


class Sheet(Value, frozen=True):
    """One row of data: a word to be shown, a flag to decide by, the name of something to include."""

    word: str
    flag: bool = False
    name: str = ""
    broken: bool = False


class Script(Value, frozen=True):
    """Lines of a verb and a word, for a command or a plug-in; `fail` makes it fail."""

    lines: tuple[tuple[str, str], ...] = ()
    broken: bool = False


class Empty(Value, frozen=True):
    """A file in the moment between its truncation and its writing."""


Document = Text | Sheet | Script | Empty


class Plugin(Value, frozen=True):
    """The project's Python: a word that goes into every line it makes. `tool`: the word that its script says first."""

    word: str = "v0"
    tool: str = "v0"
    broken: Literal["", "syntax", "missing"] = ""


BROKEN_CONFIG: Final = "[project]\nname = \n"
PLUGIN_FILES: Final = ("plugins/shout.py", "drawn_wording.py", TOOL)
JOIN: Final = '! grep -q ^fail "$1" || exit 1\necho {}\ncat "$@"\n'
SHOUT: Final = """\
from drawn_wording import WORD


def render(document):
    return "".join(f"{WORD} {_line(document, each)}\\n" for each in document.text.splitlines())


def _line(document, text):
    verb, _, rest = text.partition(" ")
    if verb == "read":
        return document.read(rest)
    if verb == "output":
        return document.output(rest).text
    if verb == "fail":
        raise ValueError(rest)
    return text
"""


def plugin_files(plugin: Plugin) -> dict[str, str | None]:
    """The plug-in's files; None for one that is not there."""
    shout = {"": SHOUT, "syntax": "def render(:\n", "missing": None}[plugin.broken]
    return dict(zip(PLUGIN_FILES, (shout, f'WORD = "{plugin.word}"\n', JOIN.format(plugin.tool)), strict=True))


class Tree(Value, frozen=True):
    """All of a project's files at one moment. Where kahnd.toml is broken, `config` is what it said before."""

    documents: dict[str, Document] = msgspec.field(default_factory=dict)
    config: Config = Config()
    plugin: Plugin = Plugin()
    config_broken: bool = False

    def files(self) -> dict[str, str | None]:
        """What stands in every file; None for one of the plug-in's that is not there."""
        texts = {path: source(path, document) for path, document in self.documents.items()}
        config = BROKEN_CONFIG if self.config_broken else self.config.toml
        return {**texts, **plugin_files(self.plugin), "kahnd.toml": config}


# Source texts


def source(path: str, document: Document) -> str:
    """The bytes of a document's file, as text."""
    match document:
        case Text():
            return _matter(document) + body(path, document) if is_page(path) else body(path, document)
        case Sheet():
            return _json(document) if path.endswith(".json") else _csv(document)
        case Script():
            lines = [*document.lines, *([("fail", "here")] if document.broken else [])]
            return "".join(f"{verb} {rest}\n" for verb, rest in lines)
        case Empty():
            return ""


def body(path: str, document: Text) -> str:
    """A text's source after its front matter."""
    lines = "".join(f"{line}\n" for line in _lines(document))
    heading = f"# {document.heading}\n" if document.heading else ""
    return f"{heading}<div>\n{lines}</div>\n" if is_page(path) else lines


def is_page(path: str) -> bool:
    """Whether a text at this path is written as a page is."""
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


def line(item: Item) -> str:  # noqa: C901, PLR0911 - a line an item
    """An item as a template has it."""
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
        case OfOutput(target, facet):
            return f'output {{{{ output("{target}"){_FACETS[facet]} }}}}'
        case Own(facet):
            return f"own {{{{ page.{facet} }}}}"
        case Content():
            return "content {{ content }};"


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
    """What stands in a column that is named as a method is."""
    return f"{name} {sheet.word}"


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
