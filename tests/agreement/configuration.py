"""Rules and configurations as values, in the variants that people write."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final, Literal

from agreement.values import Value
from e2e.rules import command, rule, toml


class Way(Value, frozen=True):
    """One way to render the documents with an ending: a rule without its number."""

    renderer: Literal["page", "template", "command", "python", "copy"]
    match: str
    output: str
    keys: str = ""
    template: str = ""
    templating: bool = True
    reverse: bool = False
    tool: bool = False
    """Tells whether it runs the project's own script, whose output starts with its word."""
    mark: str = ""
    """A parameter of the plug-in, which puts it behind its word."""
    more: tuple[str, ...] = ()
    """The outputs after the first."""
    clean: bool = False
    """Its URLs are clean."""
    markdown: str = ""
    """The extensions of Markdown, as TOML."""
    filters: bool = False
    """Its templates have the project's filters."""
    hooks: bool = False
    """The plug-in has its hooks, which take part in every page."""
    also: bool = False
    """It applies beside the first other rule."""

    @property
    def ranked(self) -> bool:
        """A value of the front matter is a part of the output's path."""
        return "{rank}" in self.output

    @property
    def options(self) -> Mapping[str, Any]:
        """The extensions of Markdown by name."""
        return dict(tomllib.loads(f"x = {self.markdown or '{}'}")["x"])

    @property
    def fills_folder(self) -> bool:
        """Its output is a folder."""
        return self.output.endswith("/")


SHELL_CAT: Final = "! grep -q ^fail {source} && cat {deps} {source} > {output}"
_MADE: Final = (
    " && ! grep -q ^fail {source} && cat {source} $(sed -n 's|^read ||p' {source}) > {output}"
    " && for each in $(sed -n 's|^maybe ||p' {source}); do test ! -e $each || cat $each >> {output}; done"
)
SHELL_MAKE: Final = (
    "for each in $(sed -n 's/^read //p; s/^maybe //p' {source}); do echo {output}: $each; done > {depfile}" + _MADE
)
"""Writes one line for each file."""
SHELL_MAKE_ONE: Final = (
    "(printf '%s:' {output}; sed -n 's/^read / /p; s/^maybe / /p' {source} | tr '\\n' ' '; echo"
    "; sed -n 's/^read \\(.*\\)/\\1:/p' {source}) > {depfile}" + _MADE
)
"""Writes one line for all files, and one without dependencies for each, as `gcc -MP` does."""
SHELL_MAKE_ABSOLUTE: Final = (
    "(printf '%s also: \\\\\\r\\n' {output}; for each in $(sed -n 's/^read //p; s/^maybe //p' {source})"
    "; do printf ' %s \\\\\\r\\n' $PWD/$each; done; echo) > {depfile}" + _MADE
)
"""Writes two targets, continued lines, absolute paths, and Windows line ends."""
CAT: Final = command("sh", "-c", 'cat "$@" && ! grep -q ^fail "$1"', "sh", "{source}", "{deps}", stdout=True)
CAT_AND_LEAVE: Final = CAT.replace("cat ", "sleep 60 & cat ", 1)
"""Leaves a process behind that keeps its output open."""
TOOL: Final = "tools/join.sh"
CAT_BY_TOOL: Final = command("sh", TOOL, "{source}", "{deps}", stdout=True)
NEEDS: Final = "scan = ['^needs (.+)']\n"
SHELL: Final = "shell = true\n"
EXTENDED: Final = "{ toc = true, code = true, math = true, admonitions = true, wiki_links = true }"
FILTERS: Final = 'filters = "plugins/filters.py"\n'
HOOKS: Final = """\
before = "plugins/shout.py:before"
after = "plugins/shout.py:after"
fences = { draw = "plugins/shout.py:draw" }
"""
ASKED: Final = 'parameters = { mark = "?" }\n'
SHOUT: Final = 'function = "plugins.shout:render"\n'


def _shell(line: str) -> str:
    return f"command = {json.dumps(line)}\n{SHELL}"


WAYS: Final[dict[str, tuple[Way, ...]]] = {
    "md": (
        Way("page", "docs/**/*.md", "{dir}/{stem}.html", template="shared/page.html", markdown=EXTENDED),
        Way("page", "docs/**/*.md", "{dir}/{stem}.html", template="shared/wide.html"),
        Way("page", "docs/**/*.md", "pages/{dir}/{stem}.htm", template="shared/page.html"),
        Way("page", "docs/a/**/*.md", "{dir}/{stem}.html", template="shared/page.html"),
        Way("page", "docs/**/*.md", "{dir}/{stem}.html", template="shared/page.html", templating=False),
        Way("page", "docs/**/*.md", "{dir}/{stem}", template="shared/page.html"),
        Way("page", "docs/**/*.md", "{dir}/{stem}/index.html", template="shared/page.html", clean=True),
        Way("page", "docs/**/*.md", "{dir}/{stem}.{hash}.html", template="shared/page.html"),
        Way("page", "docs/**/*.md", "r{rank}/{dir}/{stem}.html", template="shared/page.html"),
        Way(
            "page",
            "docs/**/*.md",
            "{dir}/{stem}.html",
            HOOKS + FILTERS,
            template="shared/page.html",
            markdown=EXTENDED.replace("true", '"2-3"', 1),
            filters=True,
            hooks=True,
        ),
    ),
    "alt": (
        Way("page", "docs/**/*.alt", "{dir}/{stem}.html", FILTERS, template="shared/wide.html", filters=True),
        Way("page", "docs/**/*.alt", "{dir}/{stem}.html", template="shared/wide.html", markdown=EXTENDED),
    ),
    "txt": (
        Way("template", "docs/**/*.txt", "{dir}/{name}"),
        Way("template", "docs/**/*.txt", "texts/{dir}/{name}"),
        Way("template", "docs/**/*.txt", "{dir}/{stem}.{hash}.txt"),
        Way("template", "docs/**/*.txt", "{dir}/{name}", FILTERS, filters=True),
    ),
    "cat": (
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", CAT + NEEDS),
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", _shell(SHELL_CAT) + NEEDS, reverse=True),
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", CAT_BY_TOOL + NEEDS, tool=True),
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", CAT_AND_LEAVE + NEEDS),
        Way("command", "docs/**/*.cat", "{dir}/{hash}.{stem}.out", CAT + NEEDS),
    ),
    "mk": (
        Way("command", "docs/**/*.mk", "{dir}/{stem}.made", _shell(SHELL_MAKE)),
        Way("command", "docs/**/*.mk", "{dir}/{stem}.made", _shell(SHELL_MAKE_ONE)),
        Way("command", "docs/**/*.mk", "{dir}/{stem}.made", _shell(SHELL_MAKE_ABSOLUTE)),
    ),
    "plug": (
        Way("python", "docs/**/*.plug", "{dir}/{stem}.shout", SHOUT),
        Way("python", "docs/**/*.plug", "{dir}/{stem}.shout", SHOUT + 'parameters = { mark = "!" }\n', mark="!"),
        Way(
            "python",
            "docs/**/*.plug",
            "{dir}/{stem}.shout",
            SHOUT.replace(":render", ":both"),
            more=("{dir}/{stem}.words",),
        ),
        Way("python", "docs/**/*.plug", "{dir}/{stem}.d/", SHOUT.replace(":render", ":parts")),
        Way(
            "python",
            "docs/**/*.plug",
            "{dir}/{stem}.{hash}.shout",
            SHOUT.replace(":render", ":both"),
            more=("{dir}/{stem}.{hash}.words",),
        ),
    ),
    "csv": (
        Way("copy", "docs/**/*.csv", "{dir}/{name}"),
        Way("copy", "docs/**/*.csv", "{dir}/{stem}.{hash}.{ext}"),
    ),
    "md beside": (
        Way("page", "docs/**/*.md", "{dir}/{stem}.print", template="shared/wide.html", also=True),
        Way("page", "docs/**/*.md", "{dir}/{stem}.print", template="shared/page.html", markdown=EXTENDED, also=True),
        Way("copy", "docs/**/*.md", "copies/{dir}/{name}", also=True),
        Way("copy", "docs/a/**/*.md", "copies/{dir}/{stem}.{hash}.{ext}", also=True),
    ),
    "txt beside": (
        Way("template", "docs/**/*.txt", "{dir}/{stem}.print", also=True),
        Way("copy", "docs/a/**/*.txt", "copies/{dir}/{name}", also=True),
    ),
    "txt too": (Way("copy", "docs/**/*.txt", "too/{dir}/{stem}.too", also=True),),
    "cat beside": (
        Way("command", "docs/**/*.cat", "{dir}/{stem}.print", CAT + NEEDS, also=True),
        Way("copy", "docs/**/*.cat", "copies/{dir}/{name}", also=True),
    ),
    "plug beside": (
        Way("python", "docs/**/*.plug", "{dir}/{stem}.print", SHOUT + ASKED, mark="?", also=True),
        Way(
            "python",
            "docs/**/*.plug",
            "too/{dir}/{stem}.shout",
            SHOUT.replace(":render", ":both"),
            more=("too/{dir}/{stem}.words",),
            also=True,
        ),
    ),
}
"""The variants by the ending that they are for; further rules for one follow after a space."""


class Rule(Value, frozen=True):
    """One of the variants for an ending."""

    ending: str
    way: int = 0

    @property
    def of(self) -> Way:
        """The variant in full."""
        return WAYS[self.ending][self.way]

    def fits(self, path: str) -> bool:
        """Returns whether `match` fits, whatever the underscores."""
        return path.startswith(self.of.match.partition("**")[0]) and path.endswith(f".{self.ending.partition(' ')[0]}")


class Config(Value, frozen=True):
    """The content of kahnd.toml; `ignored` are folders."""

    rules: tuple[Rule, ...] = tuple(Rule(ending) for ending in WAYS)
    output: str = "site"
    ignored: tuple[str, ...] = ()
    drafts: bool = False

    @property
    def toml(self) -> str:
        """Returns the file's text."""
        ignore = [f"/{folder}/**" for folder in self.ignored]
        drafts = "drafts = true\n" if self.drafts else ""
        extra = f"ignore = {json.dumps(ignore)}\n{drafts}\n[pool]\nworkers = 2\ntimeout_s = 20\n"
        rules = (_rule_text(each.of) for each in self.rules)
        return toml(*rules, extra=extra, sources=("docs", "shared"), output=self.output)


def _rule_text(way: Way) -> str:
    template = f'template = "{way.template}"\n' if way.template else ""
    templating = "" if way.templating else "templating = false\n"
    first = way.output.replace("{rank}", "{meta.rank}")
    output = [first, *way.more] if way.more else first
    clean = "clean_urls = true\n" if way.clean else ""
    also = "also = true\n" if way.also else ""
    markdown = f"markdown = {way.markdown}\n" if way.markdown else ""
    return rule(way.match, way.renderer, output, also + template + templating + clean + markdown + way.keys)
