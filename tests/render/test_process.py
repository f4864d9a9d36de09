"""Programs and their ends: what they leave running holds nothing up, and is ended."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kahnd.platform import processes
from kahnd.render.programs.process import MAX_PRINTED, ProcessResult, execute

LONG_S = 120.0
"""Far longer than any of this takes, and shorter than what is left behind would sleep."""
ATTEMPTS = 50
"""On a busy machine a shell may be ended before it has become a `sleep`, or end too late by itself: not every time."""


@pytest.fixture(autouse=True)
def _as_in_a_worker() -> None:
    processes.become_subreaper()
    processes.end_children(frozenset(), grace_s=0)  # a process that adopts has got what earlier tests left behind


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A child of this process that is none of the program's."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def _run(script: str, output: int | None = None) -> ProcessResult:
    began = time.monotonic()
    ended = execute(["sh", "-c", script], output, os.environ)
    assert time.monotonic() - began < LONG_S
    assert not processes.children(os.getpid()), "nothing is left, nor to be waited for"
    return ended


def _run_until(holds: Callable[[ProcessResult], object], script: str) -> ProcessResult:
    for _ in range(ATTEMPTS):
        ended = _run(script)
        if holds(ended):
            break
    return ended


def _leaves_a_sleep(ended: ProcessResult) -> bool:
    return "sleep" in ended.left_running


@pytest.mark.parametrize("aside", ["", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    "left",
    ["sleep 600 {} &", "setsid sleep 600 {} &", "(sleep 600 {} &) &", "(setsid sh -c 'sleep 600 {}; :' &) & wait"],
)
def test_a_program_has_ended_whatever_its_children_hold_open(tmp_path: Path, left: str, aside: str) -> None:
    output = tmp_path / "output"
    for _ in range(ATTEMPTS):
        with output.open("wb") as file:
            ended = _run(f"echo said >&2; echo made; {left.format(aside)}", file.fileno())
        assert (ended.code, ended.output, output.read_text()) == (0, "said", "made\n")
        assert ended.left_running
        if _leaves_a_sleep(ended):
            break
    assert _leaves_a_sleep(ended)


def test_a_program_s_own_exit_code_counts() -> None:
    assert _run("sleep 600 & exit 3").code == 3
    assert _run("sleep 600 & kill -9 $$").code == -9


def test_a_child_that_never_stops_to_write_holds_nothing_up() -> None:
    assert 0 < len(_run("echo said; yes &").output) <= MAX_PRINTED
    assert _run("trap '' PIPE; echo said; while :; do echo more || :; done &").left_running


def test_what_ends_just_after_its_program_is_not_told(tmp_path: Path) -> None:
    done = tmp_path / "done"
    ended = _run_until(lambda ended: not ended.left_running, f"rm -f {done}; (sleep 0.02; touch {done}) & exit 0")
    assert ended.left_running == ()
    assert done.exists()


def test_a_program_that_closes_its_streams_is_waited_for(tmp_path: Path) -> None:
    done = tmp_path / "done"
    assert _run(f"exec <&- >&- 2>&-; sleep 0.1; touch {done}; exit 4").code == 4
    assert done.exists()


def test_all_that_a_program_said_is_kept_to_its_end() -> None:
    assert _run("seq 1 20000; echo end").output.endswith("20000\nend")


def test_what_multiplies_is_ended(tmp_path: Path) -> None:
    each = f"sleep 600 & sleep 600 & : > {tmp_path}/$$; wait"
    all_there = f"until [ $(ls {tmp_path} | wc -l) = 8 ]; do sleep 0.01; done"
    ended = _run(f"for i in 1 2 3 4 5 6 7 8; do (setsid sh -c '{each}' &); done; {all_there}")
    assert len(ended.left_running) >= 24


def test_others_children_are_left_alone(other: subprocess.Popen[bytes]) -> None:
    ended = execute(["sh", "-c", "sleep 600 & echo said"], None, os.environ)
    assert len(ended.left_running) == 1
    assert other.poll() is None
    assert processes.children(os.getpid()) == {other.pid}


@pytest.mark.parametrize("script", ["sleep 600 & echo said; exit 3", "echo said; exit 3"])
def test_without_a_descriptor_of_its_own_a_process_is_followed_too(
    script: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    ended = _run(script)
    assert (ended.code, ended.output) == (3, "said")


def test_descendants_are_found_where_the_kernel_lists_no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    read = processes._read
    monkeypatch.setattr(processes, "_read", lambda path: None if path.endswith("/children") else read(path))
    assert _run_until(_leaves_a_sleep, "(setsid sleep 600 &) & echo said").left_running == ("sleep",)


def test_a_child_that_nobody_waits_for_is_taken_note_of_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    unclaimed = processes.UnclaimedChildren()
    pid = os.posix_spawnp("true", ["true"], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    unclaimed.reap()
    assert processes.children(os.getpid()) == {pid}, "whoever started it may still want to know"
    monkeypatch.setattr(processes, "_UNCLAIMED_S", -1.0)
    unclaimed.reap()
    assert not processes.has_children()
