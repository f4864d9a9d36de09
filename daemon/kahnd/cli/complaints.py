"""What went wrong, in words on standard error; with `--json`, also as JSON on standard output."""

from __future__ import annotations

import sys

import click

from kahnd.cli.terminal import paint, show_json, tame, tame_lines
from kahnd.core.problem import Problem
from kahnd.errors import KahndError


def tell(error: KahndError, *, in_json: bool) -> int:
    """Say it; the exit code it stands for."""
    for problem in error.problems:
        click.echo(words(problem), err=True)
    if in_json:
        show_json({"error": as_json(error)})
    return error.exit_code


def words(problem: Problem) -> str:
    """`kahnd: error: FILE:LINE: MESSAGE`, with the remedy and a program's own words on lines of their own."""
    red = paint("error:", "red", sys.stderr)
    first, *more = tame_lines(problem.message) or [""]
    below = [*more, tame(problem.remedy), *tame_lines(problem.detail)]
    return "\n  ".join([f"kahnd: {red} {tame(place(problem))}{first}", *filter(None, below)])


def place(problem: Problem) -> str:
    """`FILE:LINE: `, as far as it is known."""
    line = f":{problem.line}" if problem.line else ""
    return f"{problem.file}{line}: " if problem.file else ""


def as_json(error: KahndError) -> dict[str, object]:
    """The first problem's message, file, line and remedy, the exit code, and all problems."""
    problems = [
        {"message": each.message, "file": each.file, "line": each.line, "remedy": each.remedy}
        for each in error.problems
    ]
    return {**problems[0], "exit_code": error.exit_code, "problems": problems}
