"""`wait` is exact: when it returns, every change made before the call is rendered."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from e2e.harness import Daemon, Project, below

ROUNDS = 25
FILES = 50


def _place(chance: random.Random) -> str:
    depth = chance.randrange(4)
    folders = "".join(f"{chance.choice('abcdef')}{chance.randrange(3)}/" for _ in range(depth))
    return f"docs/random/{folders}{chance.randrange(40)}.bin"


def _strike(project: Project, chance: random.Random) -> None:
    """One random change: mostly a file written, new folders and all; sometimes a file or a whole folder gone."""
    place = project.path(_place(chance))
    match chance.randrange(10):
        case 0:
            place.unlink(missing_ok=True)
        case 1 if place.parent.name != "random":
            shutil.rmtree(place.parent, ignore_errors=True)
        case 2:
            project.write(str(place.relative_to(project.root)), chance.randbytes(20))
        case _:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(chance.randbytes(20))


def test_after_wait_every_output_is_current(live: Daemon) -> None:
    project = live.project
    chance = random.Random(7)  # noqa: S311 - a test's dice, the same each time
    for number in range(ROUNDS):
        for _ in range(FILES):
            _strike(project, chance)
        project.kahnd("wait")
        assert below(project.path("site/random")) == below(project.path("docs/random")), f"round {number}"


@pytest.mark.smoke
def test_wait_for_a_target_does_not_wait_for_others(live: Daemon) -> None:
    project, gate = live.project, live.project.gate()
    project.write("docs/slow.sh", gate.script())
    gate.reached()
    project.write("docs/quick.txt", "Q")
    project.wait("docs/quick.txt")
    assert project.output("quick.txt") == "Q"
    assert not project.exists("site/slow.out")
    gate.open()
    project.kahnd("wait")
    assert project.output("slow.out") == "it\n"


def test_wait_gives_up_after_its_timeout(tmp_path: Path, project: Project) -> None:
    gate = project.gate()
    project.write("docs/slow.sh", gate.script())
    with project.daemon(settled=False):
        gate.reached()
        told = project.kahnd("wait", "--timeout", "0.3", code=4).told
        assert told.strip()
        gate.open()
        project.kahnd("wait")


@pytest.mark.smoke
def test_wait_reports_what_is_broken(live: Daemon) -> None:
    project = live.project
    project.write("docs/broken.sh", "exit 3")
    answer = project.wait(code=1)
    assert [each["document"] for each in answer["failed"]] == ["docs/broken.sh"]
    project.remove("docs/broken.sh")
    assert project.kahnd("wait", "--json").json["failed"] == []
