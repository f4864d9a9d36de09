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

TEXTS: Final = (".md", ".alt", ".txt", ".html")
PAGES: Final = (".md", ".alt")
SHEETS: Final = (".json", ".csv")


class Value(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A frozen value; in JSON it says what it is."""


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


class OfPage(Value, frozen=True):
    target: str
    facet: Literal["title", "rank", "url", "text"]


class OfPages(Value, frozen=True):
    pattern: str
    facet: Literal["title", "rank", "url", "text"]
    sort: Literal["path", "title", "rank", "-rank"]


class OfOutput(Value, frozen=True):
    target: str
    facet: Literal["url", "text"]


class Own(Value, frozen=True):
    facet: Literal["title", "url"]


class Content(Value, frozen=True):
    """In a layout: where the page's HTML goes."""


Item = Word | Include | IncludeIf | IncludeNamed | Cell | OfPage | OfPages | OfOutput | Own | Content


# Documents


class Matter(Value, frozen=True):
    """A page's front matter; what is empty is not there."""

    title: str = ""
    rank: int = 0
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
    """The project's Python: a word that goes into every line it makes."""

    word: str = "v0"
    broken: Literal["", "syntax", "missing"] = ""


# Rules


class Way(Value, frozen=True):
    """One way to render documents of an ending: a rule without its number."""

    renderer: Literal["page", "template", "command", "python", "copy"]
    match: str
    output: str
    keys: str = ""
    template: str = ""
    templating: bool = True
    reverse: bool = False


SHELL_CAT: Final = "! grep -q ^fail {source} && cat {deps} {source} > {output}"
SHELL_MAKE: Final = (
    "sed -n 's|^read |'{output}': |p' {source} > {depfile}"
    " && ! grep -q ^fail {source} && cat {source} $(sed -n 's|^read ||p' {source}) > {output}"
)
CAT: Final = (
    'command = ["sh", "-c", "cat \\"$@\\" && ! grep -q ^fail \\"$1\\"", "sh", "{source}", "{deps}"]\nstdout = true\n'
)
NEEDS: Final = "scan = ['^needs (\\S+)']\n"
SHELL: Final = "shell = true\n"


def _shell(line: str) -> str:
    return f"command = {json.dumps(line)}\n{SHELL}"


WAYS: Final[dict[str, tuple[Way, ...]]] = {
    "md": (
        Way("page", "docs/**/*.md", "{dir}/{stem}.html", template="shared/page.html"),
        Way("page", "docs/**/*.md", "{dir}/{stem}.html", template="shared/wide.html"),
        Way("page", "docs/**/*.md", "pages/{dir}/{stem}.htm", template="shared/page.html"),
        Way("page", "docs/a/**/*.md", "{dir}/{stem}.html", template="shared/page.html"),
        Way("page", "docs/**/*.md", "{dir}/{stem}.html", template="shared/page.html", templating=False),
    ),
    "alt": (Way("page", "docs/**/*.alt", "{dir}/{stem}.html", template="shared/wide.html"),),
    "txt": (
        Way("template", "docs/**/*.txt", "{dir}/{name}"),
        Way("template", "docs/**/*.txt", "texts/{dir}/{name}"),
    ),
    "cat": (
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", CAT + NEEDS),
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", _shell(SHELL_CAT) + NEEDS, reverse=True),
    ),
    "mk": (Way("command", "docs/**/*.mk", "{dir}/{stem}.made", _shell(SHELL_MAKE)),),
    "plug": (Way("python", "docs/**/*.plug", "{dir}/{stem}.shout", 'function = "plugins.shout:render"\n'),),
    "csv": (Way("copy", "docs/**/*.csv", "{dir}/{name}"),),
}


class Rule(Value, frozen=True):
    """One of an ending's ways."""

    ending: str
    way: int = 0

    @property
    def of(self) -> Way:
        """All that it says."""
        return WAYS[self.ending][self.way]

    def fits(self, path: str) -> bool:
        """Whether `match` fits, underscores or not."""
        return path.startswith(self.of.match.partition("**")[0]) and path.endswith(f".{self.ending}")


class Config(Value, frozen=True):
    """What kahnd.toml says; `ignored` are folders."""

    rules: tuple[Rule, ...] = tuple(Rule(ending) for ending in WAYS)
    output: str = "site"
    ignored: tuple[str, ...] = ()

    @property
    def toml(self) -> str:
        """The file's text."""
        ignore = [f"/{folder}/**" for folder in self.ignored]
        head = f'[project]\nname = "drawn"\nsources = ["docs", "shared"]\noutput = "{self.output}"\n'
        tail = f"ignore = {json.dumps(ignore)}\n\n[pool]\nworkers = 2\ntimeout_s = 20\n"
        return head + tail + "".join(_rule_text(rule.of) for rule in self.rules)


def _rule_text(way: Way) -> str:
    template = f'template = "{way.template}"\n' if way.template else ""
    templating = "" if way.templating else "templating = false\n"
    head = f'\n[[rules]]\nmatch = "{way.match}"\nrenderer = "{way.renderer}"\noutput = "{way.output}"\n'
    return head + template + templating + way.keys


BROKEN_CONFIG: Final = "[project]\nname = \n"
PLUGIN_FILES: Final = ("plugins/shout.py", "drawn_wording.py")
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
    return dict(zip(PLUGIN_FILES, (shout, f'WORD = "{plugin.word}"\n'), strict=True))


class Tree(Value, frozen=True):
    """All of a project's files at one moment. Where kahnd.toml is broken, `config` is what it said before."""

    documents: dict[str, Document] = {}
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
        "depends_on": list(matter.depends_on),
        "template": matter.template,
    }
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in values.items() if value]
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
    row = {"word": sheet.word, "flag": sheet.flag, "name": sheet.name}
    return "{\n" if sheet.broken else f"{json.dumps(row)}\n"


def _csv(sheet: Sheet) -> str:
    row = "" if sheet.broken else f",{'yes' if sheet.flag else ''},{sheet.name}"
    return f"word,flag,name\n{sheet.word}{row}\n"
