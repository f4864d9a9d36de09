"""Workers that die or use too much memory: their document fails with the reason, and all others are rendered."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from e2e.harness import Project, living_in
from e2e.rules import SCRIPTS, TEXTS, rule
from faults.environment import is_running

ACTS = rule("docs/**/*.act", "python", "{dir}/{stem}.out", 'function = "plugin:render"\n')
PLUGIN = """
import os
from pathlib import Path

def render(document):
    word, _, rest = document.text.partition(" ")
    if word == "die":
        os.kill(os.getpid(), int(rest))
    if word == "once":
        tries = Path(rest)
        tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
        if tries.read_text() == "x":
            os.kill(os.getpid(), 9)
    if word == "eat":
        bytearray(int(rest) << 20)
    return "fine"
"""
POOL = "[pool]\nworkers = 2\nmemory_mb = 300\n"
PROGRAM = 'python3 -c "bytearray({} << 20)" 2> /dev/null && echo fine > "$1"\n'


@pytest.fixture
def project(project: Project) -> Project:
    project.configure(ACTS, SCRIPTS, TEXTS, extra=POOL)
    project.write_all({"plugin.py": PLUGIN, "docs/bystander.txt": "B"})
    return project


def _failed(answer: Any) -> dict[str, str]:
    return {each["document"]: each["error"] for each in answer["failed"]}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_document_whose_worker_dies_fails_with_the_signal_s_name(project: Project, number: signal.Signals) -> None:
    project.write("docs/a.act", f"die {number.value}")
    failed = _failed(project.build(code=1))
    assert list(failed) == ["docs/a.act"]
    assert f"killed by {number.name}" in failed["docs/a.act"]
    assert project.outputs() == {"bystander.txt": b"B"}


def test_a_document_whose_worker_dies_once_is_rendered_by_another_worker(project: Project) -> None:
    tries = project.root.with_name("tries")
    project.write("docs/a.act", f"once {tries}")
    project.build()
    assert project.output("a.out") == "fine"
    assert tries.read_text() == "xx"


def test_killed_workers_are_replaced(project: Project) -> None:
    with project.daemon() as daemon:
        workers = living_in(project.root) - {daemon.pid}
        assert workers
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        with project.renders("docs/a.act", "docs/bystander.txt"):
            project.write_all({"docs/a.act": "well", "docs/bystander.txt": "another"})
        assert len(living_in(project.root) - {daemon.pid}) >= 2


def test_only_a_function_that_uses_too_much_memory_fails(project: Project) -> None:
    project.write_all({"docs/a.act": "eat 1000", "docs/b.act": "eat 10"})
    with project.daemon() as daemon:
        failed = _failed(project.wait(code=1))
        assert list(failed) == ["docs/a.act"]
        assert "memory" in failed["docs/a.act"].lower()
        assert is_running(daemon)
        with project.renders("docs/a.act"):
            project.write("docs/a.act", "eat 1")
    assert project.outputs() == {"a.out": b"fine", "b.out": b"fine", "bystander.txt": b"B"}


def test_only_a_page_that_uses_too_much_memory_fails(project: Project) -> None:
    project.write("docs/a.txt", '{{ ("x" * 1000000000) | length }}')
    failed = _failed(project.build(code=1))
    assert list(failed) == ["docs/a.txt"]
    assert "memory" in failed["docs/a.txt"].lower()


def test_only_a_program_that_uses_too_much_memory_fails(project: Project) -> None:
    project.write_all({"docs/a.sh": PROGRAM.format(1000), "docs/b.sh": PROGRAM.format(10)})
    assert list(_failed(project.build(code=1))) == ["docs/a.sh"]
    assert project.outputs() == {"b.out": b"fine\n", "bystander.txt": b"B"}


def test_reserved_address_space_does_not_count(project: Project) -> None:
    """Many languages' runtimes reserve gigabytes of address space at a time."""
    reserve = "import mmap; mmap.mmap(-1, 4 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)"
    project.write("docs/a.sh", f"python3 -c '{reserve}' && echo fine > \"$1\"\n")
    project.build()
    assert project.output("a.out") == "fine\n"


def test_the_lowest_memory_limit_is_enough_for_a_worker(project: Project) -> None:
    project.configure(ACTS, SCRIPTS, TEXTS, extra=POOL.replace("300", "256"))
    project.write("docs/a.act", "well")
    project.build()
    assert "memory_mb" in project.kahnd("build", code=2, through=("env", "KAHND_POOL__MEMORY_MB=255")).told
