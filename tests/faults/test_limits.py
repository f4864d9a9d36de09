"""A start with too few threads or processes, or too little memory: a message and an exit code, never a crash."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

import pytest

from e2e.harness import Project
from e2e.rules import TEXTS

USER = 61_234
"""An unused user id, since the limit on processes counts all of a user's processes."""
as_another = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="limits on processes don't hold for root"
)


@pytest.fixture
def project(project: Project) -> Project:
    project.configure(TEXTS, extra="[pool]\nworkers = 2\n")
    project.write("docs/a.txt", "A")
    return project


def _limited(*limits: str) -> Sequence[str]:
    """Returns a command prefix that sets limits with `ulimit`."""
    return ("bash", "-c", f'{"; ".join(f"ulimit {each}" for each in limits)} && exec "$@"', "bash")


def _as_another(project: Project, number: int) -> Sequence[str]:
    for each in (project.root, *project.root.rglob("*")):
        os.chown(each, USER + number, USER + number)
    user = ("--reuid", f"{USER + number}", "--regid", f"{USER + number}", "--clear-groups")
    able = ("--inh-caps", "+dac_override", "--ambient-caps", "+dac_override")  # wherever Python is installed
    return ("setpriv", *user, *able, *_limited(f"-u {number}"))


@as_another
@pytest.mark.parametrize("number", [1, 2, 4, 12, 20])
@pytest.mark.parametrize("command", ["build", "run"])
def test_too_few_threads_are_reported_before_anything_starts(project: Project, number: int, command: str) -> None:
    told = project.kahnd(command, code=2, through=_as_another(project, number)).told
    assert f"only {number - 1} more threads can be started" in told
    assert "ulimit -u" in told


@as_another
def test_too_few_processes_fail_only_documents(project: Project) -> None:
    number = 24 + (os.cpu_count() or 1) + 2
    ended = project.kahnd("build", code=None, through=_as_another(project, number))
    assert ended.code in {0, 1}, ended.told


@pytest.mark.parametrize("limit", ["-d 20000", "-d 60000", "-d 500000", "-v 200000", "-v 1000000"])
def test_too_little_memory_is_reported_before_the_database_is_opened(project: Project, limit: str) -> None:
    told = project.kahnd("build", code=2, through=_limited(limit)).told
    assert "memory" in told
    assert f"ulimit {limit[:2]}" in told or "too little memory" in told
    assert project.build()["failed"] == [], "it is as it was"


def test_a_sufficient_limit_changes_nothing(project: Project) -> None:
    project.kahnd("build", through=_limited("-d 7000000"))
    assert project.output("a.txt") == "A"


def test_workers_get_no_more_memory_than_the_daemon_may_use(project: Project) -> None:
    """The daemon's limit is below memory_mb."""
    project.kahnd("build", through=("env", "KAHND_POOL__MEMORY_MB=10000", *_limited("-d 7000000")))
