"""Whatever happened to a project, a quiet daemon has what a build of the same files in an empty folder gives."""

from __future__ import annotations

import os
import random
from contextlib import ExitStack
from typing import Any

import pytest

from e2e.harness import Project

DOCUMENTS = 14
PARTIALS = 4
ROUNDS = 6
ENDINGS = ("txt", "sum", "head", "md")
OUTPUTS = {"txt": "txt", "sum": "cksum", "head": "line", "md": "html"}


class Writer:
    """Edits a project at random; most references lead to documents with lower numbers, so that few make a cycle."""

    def __init__(self, project: Project, seed: int) -> None:
        self._project = project
        self._chance = random.Random(seed)  # noqa: S311 - a test's dice, the same each time

    def begin(self) -> None:
        for number in range(DOCUMENTS):
            self._project.write(self._name(number), self._text(number))
        for number in range(PARTIALS):
            self._project.write(f"docs/_p{number}.txt", f"partial {number}")

    def edit(self) -> None:
        """One to six changes of any kind."""
        for _ in range(self._chance.randint(1, 6)):
            number = self._chance.randrange(DOCUMENTS)
            path = self._project.path(self._name(number))
            change = self._chance.choice(
                (self._rewrite, self._rewrite, self._rewrite, self._partial, self._remove, self._move)
            )
            change(number)
            if path.exists() and self._chance.random() < 0.2:
                os.utime(path)

    def _name(self, number: int) -> str:
        return f"docs/{'sub/' if number % 5 == 0 else ''}d{number:02}.{ENDINGS[number % len(ENDINGS)]}"

    def _rewrite(self, number: int) -> None:
        self._project.write(self._name(number), self._text(number))

    def _partial(self, number: int) -> None:
        self._project.write(f"docs/_p{number % PARTIALS}.txt", f"partial {self._chance.randrange(3)}")

    def _remove(self, number: int) -> None:
        self._project.path(self._name(number)).unlink(missing_ok=True)

    def _move(self, number: int) -> None:
        """Over another document of the same sort."""
        path, other = self._project.path(self._name(number)), (number + len(ENDINGS)) % DOCUMENTS
        if path.exists() and other % len(ENDINGS) == number % len(ENDINGS):
            path.rename(self._project.path(self._name(other)))

    def _text(self, number: int) -> str:
        words = f"{number} {self._chance.randrange(3)}\n"
        lower = [self._name(self._chance.randrange(number or 1)) for _ in range(self._chance.randrange(3)) if number]
        others = lower + ([self._name(self._chance.randrange(DOCUMENTS))] if self._chance.random() < 0.1 else [])
        return words + "".join(self._reference(number, other) for other in others)

    def _reference(self, number: int, other: str) -> str:
        if ENDINGS[number % len(ENDINGS)] in ("sum", "head"):
            return f"needs /{other}\n"
        partial = f"/docs/_p{self._chance.randrange(PARTIALS)}.txt"
        forms = [f'{{{{ output("/{other}").text | length }}}}', f'{{% include "{partial}" %}}']
        forms += [f'{{{{ page("/{other}").text }}}}', '{{ pages("/docs/**/*.md") | length }}']
        return self._chance.choice(forms) + "\n"


def _troubles(answer: dict[str, Any]) -> dict[str, Any]:
    """What is broken, in a form that two answers can be compared by."""
    return {
        "failed": sorted(each["document"] for each in answer["failed"]),
        "blocked": sorted(each["document"] for each in answer["blocked"]),
        "on cycles": sorted({member for cycle in answer["cycles"] for member in cycle}),
    }


def _agrees(project: Project) -> None:
    answer = project.wait(code=None)
    fresh = project.fresh_copy()
    expected = fresh.kahnd("build", "--json", code=None).json
    assert _troubles(answer) == _troubles(expected)
    outputs, good = project.outputs(), fresh.outputs()
    assert {name: outputs.get(name) for name in good} == good
    broken = {each["document"] for kind in ("failed", "blocked") for each in expected[kind]}
    last_good = {_output(each) for each in broken}
    assert set(outputs) <= set(good) | last_good


def _output(document: str) -> str:
    stem, _, ending = document.removeprefix("docs/").rpartition(".")
    return f"{stem}.{OUTPUTS[ending]}"


@pytest.mark.slow
def test_random_edits_restarts_and_kills_end_as_a_fresh_build(project: Project) -> None:
    writer = Writer(project, seed=1)
    writer.begin()
    for number in range(ROUNDS):
        with ExitStack() as stack:
            daemon = stack.enter_context(project.daemon(settled=number % 2 == 0))
            for _ in range(3):
                writer.edit()
                project.wait(code=None)
            writer.edit()
            _agrees(project)
            writer.edit()
            if number % 2:
                daemon.kill()
        writer.edit()
