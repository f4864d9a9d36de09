"""Writes `kahnd.toml` for a small project; in the rules below, a document's ending decides how it is rendered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final


def rule(match: str, renderer: str, output: str | Sequence[str] = "", more: str = "") -> str:
    """One `[[rules]]` entry; `more` is whatever else it says, as TOML lines."""
    output_line = f"output = {json.dumps(output)}\n" if output else ""
    return f'\n[[rules]]\nmatch = "{match}"\nrenderer = "{renderer}"\n{output_line}{more}'


def command(*words: str, stdout: bool = False, more: str = "") -> str:
    """The lines of a rule that runs a program."""
    output_line = "stdout = true\n" if stdout else ""
    return f"command = {json.dumps(words)}\n{output_line}{more}"


def toml(*rules: str, extra: str = "", sources: Sequence[str] = ("docs",), output: str = "site") -> str:
    """A project with these rules, and two workers unless `extra` has a `[pool]`."""
    head = f'[project]\nname = "small"\nsources = {json.dumps(sources)}\noutput = "{output}"\n'
    pool = "" if "[pool]" in extra else "[pool]\nworkers = 2\n"
    return f"{head}\n{pool}{extra}{''.join(rules)}"


SCAN: Final = "scan = ['needs (\\S+)']\n"

PAGES: Final = rule("docs/**/*.md", "page", "{dir}/{stem}.html")
TEXTS: Final = rule("docs/**/*.txt", "template", "{dir}/{name}")
SUMS: Final = rule(
    "docs/**/*.sum", "command", "{dir}/{stem}.cksum", command("cksum", "{source}", "{deps}", stdout=True, more=SCAN)
)
FIRST_LINES: Final = rule(
    "docs/**/*.head", "command", "{dir}/{stem}.line", command("head", "-n", "1", "{source}", stdout=True)
)
SCRIPTS: Final = rule("docs/**/*.sh", "command", "{dir}/{stem}.out", command("sh", "{source}", "{output}"))
COPIES: Final = rule("docs/**/*.bin", "copy", "{dir}/{name}")
