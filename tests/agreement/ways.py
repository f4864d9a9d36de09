"""Rules and configurations as values, each in one of the ways that people write them."""

from __future__ import annotations

import json
from typing import Final, Literal

from agreement.values import Value


class Way(Value, frozen=True):
    """One way to render documents of an ending: a rule without its number."""

    renderer: Literal["page", "template", "command", "python", "copy"]
    match: str
    output: str
    keys: str = ""
    template: str = ""
    templating: bool = True
    reverse: bool = False
    tool: bool = False
    """Whether it runs the project's own script, which says its word first."""


SHELL_CAT: Final = "! grep -q ^fail {source} && cat {deps} {source} > {output}"
_MADE: Final = (
    " && ! grep -q ^fail {source} && cat {source} $(sed -n 's|^read ||p' {source}) > {output}"
    " && for each in $(sed -n 's|^maybe ||p' {source}); do test ! -e $each || cat $each >> {output}; done"
)
SHELL_MAKE: Final = (
    "for each in $(sed -n 's/^read //p; s/^maybe //p' {source}); do echo {output}: $each; done > {depfile}" + _MADE
)
"""A line for each file."""
SHELL_MAKE_ONE: Final = (
    "(printf '%s:' {output}; sed -n 's/^read / /p; s/^maybe / /p' {source} | tr '\\n' ' '; echo"
    "; sed -n 's/^read \\(.*\\)/\\1:/p' {source}) > {depfile}" + _MADE
)
"""One line for all, and one without dependencies for each, as `gcc -MP` writes them."""
SHELL_MAKE_ABSOLUTE: Final = (
    "(printf '%s also: \\\\\\r\\n' {output}; for each in $(sed -n 's/^read //p; s/^maybe //p' {source})"
    "; do printf ' %s \\\\\\r\\n' $PWD/$each; done; echo) > {depfile}" + _MADE
)
"""Two targets, a line for each file that goes on in the next, absolute paths, and the line ends of Windows."""
CAT: Final = (
    'command = ["sh", "-c", "cat \\"$@\\" && ! grep -q ^fail \\"$1\\"", "sh", "{source}", "{deps}"]\nstdout = true\n'
)
CAT_AND_LEAVE: Final = CAT.replace("cat ", "sleep 60 & cat ", 1)
"""Leaves a program behind that holds what it was given open."""
TOOL: Final = "tools/join.sh"
CAT_BY_TOOL: Final = f'command = ["sh", "{TOOL}", "{{source}}", "{{deps}}"]\nstdout = true\n'
NEEDS: Final = "scan = ['^needs (.+)']\n"
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
        Way("page", "docs/**/*.md", "{dir}/{stem}", template="shared/page.html"),
    ),
    "alt": (Way("page", "docs/**/*.alt", "{dir}/{stem}.html", template="shared/wide.html"),),
    "txt": (
        Way("template", "docs/**/*.txt", "{dir}/{name}"),
        Way("template", "docs/**/*.txt", "texts/{dir}/{name}"),
    ),
    "cat": (
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", CAT + NEEDS),
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", _shell(SHELL_CAT) + NEEDS, reverse=True),
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", CAT_BY_TOOL + NEEDS, tool=True),
        Way("command", "docs/**/*.cat", "{dir}/{stem}.out", CAT_AND_LEAVE + NEEDS),
    ),
    "mk": (
        Way("command", "docs/**/*.mk", "{dir}/{stem}.made", _shell(SHELL_MAKE)),
        Way("command", "docs/**/*.mk", "{dir}/{stem}.made", _shell(SHELL_MAKE_ONE)),
        Way("command", "docs/**/*.mk", "{dir}/{stem}.made", _shell(SHELL_MAKE_ABSOLUTE)),
    ),
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
