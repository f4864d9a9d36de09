"""A start with too few threads, processes, or too little memory: a word and an exit code, and never a crash."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import pytest

from e2e.harness import Project
from e2e.rules import TEXTS

USER = 61_234
"""One that nobody is: the limit on processes counts all that a user has."""
as_another = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="limits on processes don't hold for root"
)


@pytest.fixture
def project(project: Project) -> Project:
    project.configure(TEXTS, extra="[pool]\nworkers = 2\n")
    project.write("docs/a.txt", "A")
    return project


def _limited(*limits: str) -> Sequence[str]:
    """Run what follows with limits, as `ulimit` takes them."""
    return ("bash", "-c", f'{"; ".join(f"ulimit {each}" for each in limits)} && exec "$@"', "bash")


def _as_another(project: Project, number: int) -> Sequence[str]:
    for each in (project.root, *project.root.rglob("*")):
        os.chown(each, USER + number, USER + number)
    user = ("--reuid", f"{USER + number}", "--regid", f"{USER + number}", "--clear-groups")
    able = ("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override")  # wherever Python is
    return ("setpriv", *user, *able, *_limited(f"-u {number}"))


@as_another
@pytest.mark.parametrize("number", [1, 2, 4, 12, 20])
@pytest.mark.parametrize("command", ["build", "run"])
def test_too_few_threads_are_told_before_anything_is_begun(project: Project, number: int, command: str) -> None:
    told = project.kahnd(command, code=2, through=_as_another(project, number)).told
    assert f"only {number - 1} more threads can be started" in told
    assert "ulimit -u" in told


@as_another
def test_few_processes_fail_documents_and_nothing_else(project: Project) -> None:
    number = 24 + (os.cpu_count() or 1) + 2
    ended = project.kahnd("build", code=None, through=_as_another(project, number))
    assert ended.code in {0, 1}, ended.told


@pytest.mark.parametrize("limit", ["-d 20000", "-d 60000", "-d 500000", "-v 200000", "-v 1000000"])
def test_too_little_memory_is_told_before_the_database_is_opened(project: Project, limit: str) -> None:
    told = project.kahnd("build", code=2, through=_limited(limit)).told
    assert "memory" in told
    assert f"ulimit {limit[:2]}" in told or "too little memory" in told
    assert project.build()["failed"] == [], "it is as it was"


def test_a_limit_that_is_high_enough_is_no_hindrance(project: Project) -> None:
    project.kahnd("build", through=_limited("-d 7000000"))
    assert project.output("a.txt") == "A"


def test_workers_get_no_more_than_is_allowed_to_the_daemon(project: Project) -> None:
    """Where memory_mb is more than that."""
    project.kahnd("build", through=("env", "KAHND_POOL__MEMORY_MB=10000", *_limited("-d 7000000")))
