"""kill -9 at a bad moment: the next start goes on from what was committed."""

from __future__ import annotations

import signal

import pytest

from e2e.harness import Daemon, Gate, Project, eventually

FREE = [f"docs/free{number}.sh" for number in range(8)]
HELD = [f"docs/held{number}.sh" for number in range(4)]
WAITING = "docs/waiting.sum"


def _half_done(project: Project) -> Gate:
    """Documents that render at once, some that need them and wait for the gate, and one that needs these."""
    gate = project.gate()
    needs = "".join(f"# needs /{each}\n" for each in FREE)
    project.write(
        "kahnd.toml", project.read("kahnd.toml").replace('"{output}"]\n', '"{output}"]\nscan = ["needs (\\\\S+)"]\n', 1)
    )
    project.write_all({each: f'echo {each} > "$1"\n' for each in FREE})
    project.write_all({each: needs + gate.script(str(number)) for number, each in enumerate(HELD)})
    project.write(WAITING, "".join(f"needs /{each}\n" for each in HELD))
    return gate


def _until_half(daemon: Daemon, gate: Gate) -> None:
    gate.reached()
    eventually(lambda: daemon.project.status()["documents"]["done"] >= len(FREE), "the free ones are done")
    assert daemon.project.rendered() == FREE
    # The history is read from the database after all results so far are written there.
    assert len(daemon.project.kahnd("history", "--json").json) == len(FREE)


@pytest.mark.smoke
def test_the_next_start_renders_what_was_not_committed_and_nothing_else(project: Project) -> None:
    gate = _half_done(project)
    with project.daemon(settled=False) as daemon:
        _until_half(daemon, gate)
        daemon.kill()
    assert set(project.outputs()) == {f"free{number}.out" for number in range(8)}
    mark = project.mark()
    gate.open()
    with project.daemon():
        project.wait()
        assert project.rendered(mark) == [*HELD, WAITING]
    assert project.outputs() == project.fresh_outputs()


def test_a_build_goes_on_after_a_killed_build(project: Project) -> None:
    gate = _half_done(project)
    build = project.begin("build")
    gate.reached()
    build.send_signal(signal.SIGKILL)
    build.communicate()
    gate.open()
    project.build()
    assert project.outputs() == project.fresh_outputs()
    assert project.build()["rendered"] == []


def test_nothing_of_a_killed_run_is_left_behind(project: Project) -> None:
    """No half output, no staged file, no lock, no socket that keeps the next daemon from starting."""
    gate = _half_done(project)
    with project.daemon(settled=False) as daemon:
        _until_half(daemon, gate)
        daemon.kill()
    gate.open()
    with project.daemon():
        project.wait()
        stage = project.path(".kahnd/stage")
        assert not stage.exists() or not [each for each in stage.rglob("*") if each.is_file()]


def test_killed_again_and_again_it_ends_as_a_fresh_build(project: Project) -> None:
    for round_ in range(3):
        project.write_all({f"docs/{number}.sum": f"{round_} of {number}" for number in range(40)})
        project.write("docs/all.sum", "".join(f"needs {number}.sum\n" for number in range(40)))
        mark = project.mark()
        with project.daemon(settled=False) as daemon:
            eventually(lambda mark=mark: len(project.rendered(mark)) > 5, "some are rendered")  # type: ignore[misc]
            daemon.kill()
    project.build()
    assert project.outputs() == project.fresh_outputs()
    assert project.build()["rendered"] == []
