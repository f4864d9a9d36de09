"""The problems for editors, read as docs/editors.md describes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e.harness import Project, eventually

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "editors.md"


def matcher() -> dict[str, Any]:
    """The problem matcher of the documentation's tasks.json."""
    (text,) = re.findall(r"```json\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)
    (task,) = json.loads(text)["tasks"]
    assert [task["command"], *task["args"]] == ["kahnd", "run", "--problems"]
    found: dict[str, Any] = task["problemMatcher"]
    return found


@dataclass
class Editor:
    """Reads lines as Visual Studio Code does: what is known is forgotten when something begins."""

    matcher: dict[str, Any] = field(default_factory=matcher)

    def problems(self, lines: list[str]) -> list[tuple[str, int, str]] | None:
        """File, line and severity of what is known after these lines; None where something is under way."""
        pattern, background = self.matcher["pattern"], self.matcher["background"]
        known: list[tuple[str, int, str]] = []
        active = background["activeOnStart"]
        for line in lines:
            if re.search(background["beginsPattern"], line):
                known, active = [], True
            elif re.search(background["endsPattern"], line):
                active = False
            elif found := re.search(pattern["regexp"], line):
                known.append((found[pattern["file"]], int(found[pattern["line"]]), found[pattern["severity"]]))
        return None if active else known


def problems(project: Project, *words: str, code: int) -> list[tuple[str, int, str]] | None:
    """Returns the problems that a command prints."""
    lines = project.kahnd(*words, "--problems", code=code).stdout.splitlines()
    return Editor().problems([*lines, "kahnd: at rest, "])


def test_each_failure_is_a_line_with_its_place_and_all_well_is_none(project: Project) -> None:
    project.write_all({"docs/a.md": "# A\n\n{{ 1 / 0 }}\n", "docs/b.sum": "needs c.sh", "docs/c.sh": "exit 1"})
    expected = [
        (str(project.path("docs/a.md")), 3, "error"),
        (str(project.path("docs/c.sh")), 1, "error"),
        (str(project.path("docs/b.sum")), 1, "warning"),
    ]
    assert problems(project, "build", code=1) == expected
    assert problems(project, "status", code=4) == expected
    assert problems(project, "retry", code=1) == expected
    with project.daemon():
        assert problems(project, "wait", code=1) == expected
        assert problems(project, "status", code=0) == expected
    project.write_all({"docs/a.md": "# A\n", "docs/c.sh": 'echo C > "$1"'})
    assert project.kahnd("build", "--problems").stdout == ""


def test_what_is_missing_is_an_error_where_it_is_named(project: Project) -> None:
    project.write("docs/a.md", '# A\n\n{% include "nowhere.md" %}\n')
    assert problems(project, "build", code=1) == [(str(project.path("docs/a.md")), 3, "error")]


def test_a_place_in_what_a_program_prints_counts(project: Project) -> None:
    project.write("docs/a.sh", 'echo "docs/a.sh:7:3: what is this?" >&2; exit 1')
    (line,) = project.kahnd("build", "--problems", code=1).stdout.splitlines()
    assert line.startswith(f"{project.path('docs/a.sh')}:7:3: error: ")


def test_warnings_are_told_until_a_rendering_is_without_them(project: Project) -> None:
    project.write_all({"docs/a.sh": 'echo "docs/a.sh:1:6: warning: odd"; echo A > "$1"', "docs/b.txt": "B"})
    expected = [(str(project.path("docs/a.sh")), 1, "warning")]
    assert problems(project, "build", code=0) == expected
    assert problems(project, "build", code=0) == expected
    assert problems(project, "status", code=4) == expected
    (warned,) = project.kahnd("status", "--json", code=4).json["warnings"]
    assert warned == {
        "document": "docs/a.sh",
        "warning": "docs/a.sh:1:6: odd",
        "message": "odd",
        "file": "docs/a.sh",
        "line": 1,
        "column": 6,
    }
    with project.daemon():
        assert problems(project, "wait", code=0) == expected
        assert project.kahnd("status", "--json").json["warnings"] == [warned]
        project.write("docs/a.sh", 'echo A > "$1"')
        assert problems(project, "wait", code=0) == []
        assert project.kahnd("status", "--json").json["warnings"] == []


@pytest.mark.parametrize("command", ["build", "run"])
def test_a_mistake_in_the_configuration_is_a_line_too(project: Project, command: str) -> None:
    project.write("kahnd.toml", "[project]\nsauces = 1\n")
    assert (str(project.path("kahnd.toml")), 2, "error") in (problems(project, command, code=2) or [])


def test_a_daemon_tells_after_each_build_all_that_is_wrong_then(project: Project) -> None:
    project.write_all({"docs/a.sh": "exit 1", "docs/b.txt": "B"})
    output = project.root.with_name("problems")
    editor = Editor()
    broken = (str(project.path("docs/a.sh")), 1, "error")

    def known() -> list[tuple[str, int, str]] | None:
        return editor.problems(output.read_text().splitlines())

    def becomes(expected: list[tuple[str, int, str]]) -> None:
        eventually(lambda: known() == expected, f"the editor knows {expected}")

    with output.open("w") as file:
        daemon = project.begin("run", "--problems", stdout=file)
    try:
        becomes([broken])
        project.write("docs/b.txt", "{{ 1 / 0 }}")
        becomes([broken, (str(project.path("docs/b.txt")), 1, "error")])
        project.write("docs/a.sh", 'echo A > "$1"')
        becomes([(str(project.path("docs/b.txt")), 1, "error")])
        good = project.read("kahnd.toml")
        project.write("kahnd.toml", good.replace('"copy"', '"cpoy"'))
        eventually(lambda: any(each[0].endswith("kahnd.toml") for each in known() or []), "the mistake is known")
        project.write("kahnd.toml", good)
        project.write("docs/b.txt", "B")
        becomes([])
    finally:
        daemon.kill()
        daemon.wait()
