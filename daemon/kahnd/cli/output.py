"""Prints answers and errors in the requested form: words, JSON, or lines that editors parse."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from kahnd.api import answers
from kahnd.cli import report
from kahnd.cli.context import CommandContext
from kahnd.cli.terminal import paint, print_json, printable_lines
from kahnd.core.problem import Problem
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.text import escape_controls
from kahnd.errors import KahndError

Json = Mapping[str, Any]
A = TypeVar("A", bound=Json)


def warn_of_config(answer: answers.Configured) -> None:
    """Warns on standard error if kahnd.toml is broken and the daemon answers by the last good one."""
    for line in report.config(answer):
        click.echo(line, err=True)


def show(context: CommandContext, answer: A, words: Callable[[A], Sequence[str]], form: str | None) -> None:
    """Prints an answer as JSON, as problems for editors (nothing if all is well), or in words."""
    if form == "json":
        print_json(answer)
        return
    for line in problem_lines(context.root, answer) if form == "problems" else words(answer):
        click.echo(line)


def report_error(error: KahndError, *, in_json: bool) -> int:
    """Prints the error on standard error, and with `in_json` on standard output too. Returns its exit code."""
    for problem in error.problems:
        click.echo(words(problem), err=True)
    if in_json:
        print_json({"error": as_json(error)})
    return error.exit_code


def words(problem: Problem) -> str:
    """Formats `kahnd: error: FILE:LINE: MESSAGE`. The remedy and a program's output follow on lines of their own."""
    red = paint("error:", "red", sys.stderr)
    first, *more = printable_lines(problem.message) or [""]
    below = [*more, escape_controls(problem.remedy), *printable_lines(problem.detail)]
    return "\n  ".join([f"kahnd: {red} {escape_controls(place(problem))}{first}", *filter(None, below)])


def place(problem: Problem) -> str:
    """Returns `FILE:LINE: `, as far as they are known."""
    line = f":{problem.line}" if problem.line else ""
    return f"{problem.file}{line}: " if problem.file else ""


def as_json(error: KahndError) -> dict[str, object]:
    """Returns the first problem's message, file, line and remedy, the exit code, and all problems."""
    problems = [
        {"message": each.message, "file": each.file, "line": each.line, "remedy": each.remedy}
        for each in error.problems
    ]
    return {**problems[0], "exit_code": error.exit_code, "problems": problems}


def problem_lines(root: Path, answer: Json) -> list[str]:
    """Formats the problems in an answer of `build`, `wait`, `retry` or `status`.

    A document that only waits for a failed one is a warning, since the fault is elsewhere.
    """
    failed: Sequence[Json] = answer.get("failures") or answer.get("failed") or ()
    mistakes: Sequence[Json] = answer.get("config_problems", ())
    broken = {each["document"] for each in failed}
    return [
        *(entry_line(root, {**each, "document": each.get("file", CONFIG_FILE)}, "error") for each in mistakes),
        *(entry_line(root, each, "error") for each in failed),
        *(
            entry_line(root, each, "warning" if each["because"] in broken else "error")
            for each in answer.get("blocked", ())
        ),
        *(entry_line(root, each, "warning") for each in answer.get("warnings", ())),
    ]


def entry_line(root: Path, entry: Json, severity: str) -> str:
    """Formats a document's problem as compilers do, `FILE:LINE:COLUMN: SEVERITY: MESSAGE`, for editors.

    It is at the entry's own place, or else at the one in the program's output, which may have a column. Paths are
    absolute, because an editor knows neither the project nor the folder of the command. Unknown lines and columns are
    1.
    """
    file, line, column = entry.get("file") or entry["document"], entry.get("line") or 0, entry.get("column") or 0
    place = None if column else _place_in_output(file, entry.get("output", ""))
    if place and line in {0, place[0]}:
        line, column = place
    remedy = f" ({entry['remedy']})" if entry.get("remedy") else ""
    message = f"{entry.get('message') or entry.get('error') or severity}{remedy}"
    shown = escape_controls(" ".join(message.split()))
    return f"{escape_controls(str(root / file))}:{line or 1}:{column or 1}: {severity}: {shown}"


def problem_line(root: Path, problem: Problem) -> str:
    """Formats any other problem that has a file."""
    entry = {"document": problem.file, "line": problem.line, "message": problem.message, "remedy": problem.remedy}
    return entry_line(root, entry, "error")


def _place_in_output(file: str, output: str) -> tuple[int, int] | None:
    """Finds a file's line and column in a program's output, as in `docs/a.scss:12:7: expected "{"`."""
    place = re.search(rf"^\W*(?:\S*/)?{re.escape(file)}:(\d+)(?::(\d+))?\b", output, re.MULTILINE)
    return (int(place[1]), int(place[2] or 1)) if place else None


@contextmanager
def echo_problems(context: CommandContext, *, wanted: bool) -> Iterator[None]:
    """Prints the problems of an error as lines for editors too, if wanted: a mistake in `kahnd.toml` has a line."""
    try:
        yield
    except KahndError as error:
        for problem in error.problems if wanted else ():
            if problem.file:
                click.echo(problem_line(context.root, problem))
        raise
