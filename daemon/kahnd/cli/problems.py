"""What is wrong, as compilers tell it: FILE:LINE:COLUMN: SEVERITY: MESSAGE, a line each, for editors.

Paths are absolute: who reads the lines knows neither the project nor where the command was started. The column is 1
where nobody knows it; so is the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from kahnd.cli.place import Place
from kahnd.cli.terminal import tame
from kahnd.config.places import CONFIG_FILE
from kahnd.core.problem import Problem
from kahnd.errors import KahndError

Json = dict[str, Any]


def of_answer(root: Path, answer: Json) -> list[str]:
    """Of what `build`, `wait`, `retry` and `status` answer.

    What only waits for a failed one is a warning: the fault is elsewhere. What waits for something missing names it.
    """
    failed: Sequence[Json] = answer.get("failures") or answer.get("failed") or ()
    mistakes: Sequence[Json] = answer.get("config_problems", ())
    broken = {each["document"] for each in failed}
    return [
        *(of_entry(root, {**each, "document": each.get("file", CONFIG_FILE)}, "error") for each in mistakes),
        *(of_entry(root, each, "error") for each in failed),
        *(
            of_entry(root, each, "warning" if each["because"] in broken else "error")
            for each in answer.get("blocked", ())
        ),
        *(of_entry(root, each, "warning") for each in answer.get("warnings", ())),
    ]


def of_entry(root: Path, entry: Json, severity: str) -> str:
    """Of a document: in the place that is told, or else where the program's own words say."""
    file, line, column = entry.get("file") or entry["document"], entry.get("line") or 0, 1
    if not line:
        line, column = _told_by_program(entry) or (1, 1)
    remedy = f" ({entry['remedy']})" if entry.get("remedy") else ""
    message = f"{entry.get('message') or entry.get('error') or severity}{remedy}"
    return f"{tame(str(root / file))}:{line}:{column}: {severity}: {tame(' '.join(message.split()))}"


def of_problem(root: Path, problem: Problem) -> str:
    """Of anything else that has a file."""
    told = {"document": problem.file, "line": problem.line, "message": problem.message, "remedy": problem.remedy}
    return of_entry(root, told, "error")


def _told_by_program(entry: Json) -> tuple[int, int] | None:
    """Line and column of the document in what a program printed, as in `docs/a.scss:12:7: expected "{"`."""
    place = re.search(
        rf"^\W*(?:\S*/)?{re.escape(entry['document'])}:(\d+)(?::(\d+))?\b", entry.get("output", ""), re.MULTILINE
    )
    return (int(place[1]), int(place[2] or 1)) if place else None


@contextmanager
def echoed(place: Place, *, wanted: bool) -> Iterator[None]:
    """Where they are wanted, print those of an error in this form too: a mistake in `kahnd.toml` has a line."""
    try:
        yield
    except KahndError as error:
        for problem in error.problems if wanted else ():
            if problem.file:
                click.echo(of_problem(place.root, problem))
        raise
