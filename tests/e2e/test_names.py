"""Files with names that would steer a terminal, or look like kahnd's own words, in everything that kahnd shows."""

from __future__ import annotations

import os
import re

import pytest

from e2e.harness import Project
from e2e.rules import PAGES, SCRIPTS, TEXTS
from e2e.terminal import Terminal

NAMES = (
    "esc\x1b]0;owned\x07.md",
    "clear\x1b[2J.md",
    "line\nFORGED.md",
    "return\rFORGED.md",
    "tab\t.md",
    "csi\x9b31m.md",
    "next\x85FORGED.md",
    "form\x0cFORGED.md",
    "group\x1dFORGED.md",
    "rtl\u202egnp.md",
    "iso\u2066late.md",
    "para\u2029FORGED.md",
    "sep\u2028FORGED.md",
    "del\x7f.md",
    "[red]markup[/red].md",
    'quote"]; x [label="y.md',
    "back\\slash.md",
)
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]")
FORGED = re.compile(r"^FORGED", re.MULTILINE)
ASKED = (
    ("status",),
    ("status", "--problems"),
    ("status", "--json"),
    ("plan",),
    ("plan", "--json"),
    ("build",),
    ("build", "--problems"),
    ("build", "--json"),
    ("retry",),
    ("history", "-n", "200"),
    ("history", "--json"),
    ("logs", "-n", "0"),
    ("logs", "-n", "0", "--json"),
    ("graph",),
    ("graph", "--format", "mermaid"),
    ("graph", "--format", "json"),
    ("doctor",),
    ("clean", "--dry-run"),
)


@pytest.fixture
def named(project: Project) -> Project:
    """Every other page fails and names another that is not there; one is not UTF-8, and so is no document."""
    project.configure(PAGES, TEXTS, SCRIPTS)
    for number, name in enumerate(NAMES):
        project.write(f"docs/{name}", "{% include 'no\\nFORGED.md' %}" if number % 2 else "{{ nope }}")
        project.write(f"docs/fine/{name}", "# fine")

    (project.root / os.fsdecode(b"docs/half\xff\x1b[2J.md")).write_text("# x")
    return project


def said(project: Project, *words: str) -> str:
    """All that a command prints; a name in it may be given as it is."""
    return project.kahnd(*words, code=None).told


def assert_tame(words: tuple[str, ...], told: str) -> None:
    """Line ends are kahnd's own; a program's words may have tabs."""
    assert not RAW.search(told), (words, RAW.findall(told))
    assert not FORGED.search(told), (words, told)


def every_answer(project: Project) -> None:
    for words in ASKED:
        assert_tame(words, said(project, *words))
    for command in ("build", "wait", "retry", "plan"):
        there = [f"docs/{name}" for name in NAMES]
        assert_tame((command,), said(project, command, *there))
        assert_tame((command,), said(project, command, f"docs/none-{NAMES[2]}"))
    for command in ("why", "history", "graph"):
        assert_tame((command,), said(project, command, f"docs/{NAMES[2]}"))
        assert_tame((command,), said(project, command, f"docs/none-{NAMES[0]}"))


def test_names_are_written_out_without_a_daemon(named: Project) -> None:
    said(named, "build")
    every_answer(named)


def test_names_are_written_out_with_a_daemon(named: Project) -> None:
    with named.daemon():
        every_answer(named)


@pytest.mark.parametrize("words", [("run",), ("run", "--plain"), ("build",)])
def test_names_cannot_control_the_terminal(named: Project, words: tuple[str, ...]) -> None:
    """The live view, the log's lines and the progress bar write the terminal's own sequences, and none of a name's."""
    with Terminal(named, *words, lines=60, columns=160) as terminal:
        terminal.shows(r"\[red\]markup\[/red\]")
        for each in (b"\x1b]0;owned", b"\x1b[2J", b"\xc2\x9b31m", "\u202e".encode(), "\u2066".encode()):
            assert each not in terminal.written
        assert not any(line.startswith("FORGED") for line in terminal.shown.splitlines())


def test_a_program_s_words_are_written_out_line_by_line(project: Project) -> None:
    project.write("docs/a.sh", "printf 'one\\ttab\\n\\033]0;owned\\007two\\rthree\\n\\302\\2335m\\n' >&2; exit 1\n")
    told = said(project, "build")
    assert "one\ttab\n" in told
    assert "\\x1b]0;owned\\x07two\\rthree" in told
    assert not RAW.search(told)
