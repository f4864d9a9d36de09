"""`kahnd logs --journal`, against a journalctl that records what it is asked and answers as the real one does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from e2e.harness import Project, eventually

JOURNALCTL = """\
#!/bin/sh
printf '%s\\n' "$@" > "$ASKED"
case "$*" in
  *--follow*) tail -f "$COMES" ;;
  *--reverse*) tac "$THERE" ;;
esac
"""


class Journal:
    """The lines that are in it, and those that follow."""

    def __init__(self, project: Project) -> None:
        self._folder = project.root.with_name("journal")
        (self._folder / "bin").mkdir(parents=True)
        program = self._folder / "bin" / "journalctl"
        program.write_text(JOURNALCTL)
        program.chmod(0o755)
        self.there, self.comes = self._folder / "there", self._folder / "comes"
        self.there.touch()
        self.comes.touch()
        files = {"ASKED": self._folder / "asked", "THERE": self.there, "COMES": self.comes}
        project.env.update({name: str(file) for name, file in files.items()})
        project.env["PATH"] = f"{program.parent}:{os.environ['PATH']}"

    @property
    def asked(self) -> list[str]:
        return (self._folder / "asked").read_text().splitlines()


def entry(number: int, message: str | list[int], **more: Any) -> str:
    stamp = str(1_767_225_600_000_000 + number * 1_000_000)
    record = {"__CURSOR": f"c{number}", "__REALTIME_TIMESTAMP": stamp, "PRIORITY": "6", "MESSAGE": message, **more}
    return f"{json.dumps(record)}\n"


def line(number: int, **more: Any) -> dict[str, Any]:
    return {"timestamp": f"2026-01-01T00:00:0{number}Z", "level": "info", "event": f"e{number}", **more}


@pytest.fixture
def journal(project: Project) -> Journal:
    return Journal(project)


def shown(project: Project, *words: str) -> list[dict[str, Any]]:
    told = project.kahnd("logs", "--journal", "--json", *words).stdout
    return [json.loads(each) for each in told.splitlines()]


def test_the_daemon_s_lines_are_as_it_wrote_them_the_oldest_first(project: Project, journal: Journal) -> None:
    lines = [line(number) for number in range(4)]
    journal.there.write_text("".join(entry(number, json.dumps(each)) for number, each in enumerate(lines)))
    assert shown(project) == lines
    assert shown(project, "-n", "2") == lines[2:]


def test_it_is_the_unit_of_this_project_that_is_asked_for(project: Project, journal: Journal) -> None:
    shown(project)
    (unit,) = [each.removeprefix("--unit=") for each in journal.asked if each.startswith("--unit=")]
    assert unit.startswith("kahnd@")
    assert unit.endswith(f"{project.root.name}.service")
    assert "--user" in journal.asked


def test_lines_are_chosen_as_in_the_file(project: Project, journal: Journal) -> None:
    lines = [line(0, document="docs/a.md", build="x"), line(1, level="error", build="x"), line(2, build="y")]
    journal.there.write_text("".join(entry(number, json.dumps(each)) for number, each in enumerate(lines)))
    assert shown(project, "--build", "x") == lines[:2]
    assert shown(project, "--doc", "docs/a.md") == lines[:1]
    assert shown(project, "--level", "error") == lines[1:2]
    assert shown(project, "--since", "2026-01-01T00:00:02Z") == lines[2:]


def test_what_others_say_of_the_unit_is_told_too(project: Project, journal: Journal) -> None:
    journal.there.write_text(
        entry(0, "Started kahnd.") + entry(1, [255, 104, 105], PRIORITY="3") + entry(2, json.dumps(line(2)))
    )
    assert shown(project) == [
        {"timestamp": "2026-01-01T00:00:00Z", "level": "info", "event": "Started kahnd."},
        {"timestamp": "2026-01-01T00:00:01Z", "level": "error", "event": "\ufffdhi"},
        line(2),
    ]


def test_following_goes_on_where_the_last_lines_ended(project: Project, journal: Journal, tmp_path: Path) -> None:
    journal.there.write_text(entry(0, json.dumps(line(0))))
    seen = tmp_path / "seen"
    with seen.open("w") as file:
        follower = project.begin("logs", "--journal", "-f", "--json", stdout=file)
    try:
        eventually(lambda: "e0" in seen.read_text(), "the last line is shown")
        with journal.comes.open("a") as file:
            file.write(entry(1, json.dumps(line(1))))
        eventually(lambda: "e1" in seen.read_text(), "a new line is shown")
        assert "--after-cursor=c0" in journal.asked
    finally:
        os.killpg(follower.pid, 9)
        follower.wait()


def test_without_a_journal_the_file_is_named_as_the_way(project: Project) -> None:
    project.env["PATH"] = str(project.root)
    told = project.kahnd("logs", "--journal", code=2).told
    assert "journalctl" in told
    assert "without --journal" in told
