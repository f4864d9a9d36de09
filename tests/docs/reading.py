"""A page of the documentation as a series of steps: files to save, commands to run, code to look at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
PAGES: Final = sorted(
    path
    for path in (*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md")
    if "site" not in path.relative_to(REPOSITORY).parts
)
_STEP: Final = re.compile(
    r"^(?P<fence>`{3,})(?P<language>[^\s`]*)[ ]?(?P<name>[^\n]*)\n(?P<code>.*?)^(?P=fence)$"
    r"|^<!-- (?P<word>do|stop)(?:: (?P<deed>.*?))? -->$",
    re.MULTILINE | re.DOTALL,
)
_CALL: Final = re.compile(r"^\$ (.+(?:\n> .*)*)$", re.MULTILINE)


@dataclass(frozen=True)
class Code:
    """A fenced block. With a `name` it is that file of the project; `+name` is added to one."""

    line: int
    language: str
    name: str
    text: str

    def calls(self) -> Iterator[Call]:
        """The commands in a console block, each with what it is said to print."""
        marks = list(_CALL.finditer(self.text))
        ends = [*(mark.start() for mark in marks[1:]), len(self.text)]
        for mark, end in zip(marks, ends, strict=True):
            line = self.line + 1 + self.text.count("\n", 0, mark.start())
            yield Call(line, mark[1].replace("\n> ", "\n"), self.text[mark.end() + 1 : end])


@dataclass(frozen=True)
class Call:
    """A command, and what is shown below it."""

    line: int
    command: str
    shown: str

    @property
    def bare(self) -> str:
        """The command without the comment at its end."""
        return self.command.partition(" #")[0].strip()


@dataclass(frozen=True)
class Deed:
    """Commands that the text gives in words: `<!-- do: COMMAND -->`. `<!-- stop -->` ends the daemon."""

    line: int
    command: str


def without_steps(text: str) -> str:
    """The text of a page without its steps."""
    return _STEP.sub("", text)


def steps(text: str) -> Iterator[Code | Deed]:
    """All steps of a page, in order."""
    for found in _STEP.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        if found["word"]:
            yield Deed(line, found["deed"] or found["word"])
        else:
            yield Code(line, found["language"], found["name"], found["code"])
