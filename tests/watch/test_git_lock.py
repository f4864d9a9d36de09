from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kahnd.watch.git import LONGEST_S, GitLock
from watch.harness import write


@pytest.fixture(params=["a repository", "a worktree"])
def locked_by(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The place of the lock; the project is a folder below the top."""
    write(tmp_path, {"top/project/kahnd.toml": ""})
    if request.param == "a worktree":
        write(tmp_path, {"main/.git/worktrees/top/HEAD": "", "top/.git": "gitdir: ../main/.git/worktrees/top\n"})
        return tmp_path / "main/.git/worktrees/top/index.lock"
    write(tmp_path, {"top/.git/HEAD": ""})
    return tmp_path / "top/.git/index.lock"


def test_git_is_at_work_while_its_lock_stands(tmp_path: Path, locked_by: Path) -> None:
    lock = GitLock(str(tmp_path / "top/project"))
    assert not lock.held()
    locked_by.touch()
    assert lock.held()
    locked_by.unlink()
    assert not lock.held()


def test_an_old_lock_is_a_dead_gits(tmp_path: Path, locked_by: Path) -> None:
    locked_by.touch()
    os.utime(locked_by, (time.time() - 2 * LONGEST_S,) * 2)
    assert not GitLock(str(tmp_path / "top/project")).held()


def test_outside_of_any_repository_nothing_is_locked(tmp_path: Path) -> None:
    assert not GitLock(str(tmp_path)).held()
