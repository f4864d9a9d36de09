from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from kahnd.watch.git import MAX_LOCK_AGE_S, GitLock, Patterns
from watch.harness import write


@pytest.fixture(params=["a repository", "a worktree"])
def locked_by(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Returns the path of the lock; the project is a folder below the repository's root."""
    write(tmp_path, {"top/project/kahnd.toml": ""})
    if request.param == "a worktree":
        write(tmp_path, {"main/.git/worktrees/top/HEAD": "", "top/.git": "gitdir: ../main/.git/worktrees/top\n"})
        return tmp_path / "main/.git/worktrees/top/index.lock"
    write(tmp_path, {"top/.git/HEAD": ""})
    return tmp_path / "top/.git/index.lock"


def test_the_lock_is_held_while_its_file_exists(tmp_path: Path, locked_by: Path) -> None:
    lock = GitLock(str(tmp_path / "top/project"))
    assert not lock.is_held()
    locked_by.touch()
    assert lock.is_held()
    locked_by.unlink()
    assert not lock.is_held()


def test_an_old_lock_is_not_held(tmp_path: Path, locked_by: Path) -> None:
    locked_by.touch()
    os.utime(locked_by, (time.time() - 2 * MAX_LOCK_AGE_S,) * 2)
    assert not GitLock(str(tmp_path / "top/project")).is_held()


def test_without_a_repository_no_lock_is_held(tmp_path: Path) -> None:
    assert not GitLock(str(tmp_path)).is_held()


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        ("[[:digit:]]*.md", "1a.md", True),
        ("[[:digit:]]*.md", "a1.md", None),
        ("[![:digit:]]*.md", "a1.md", True),
        ("[![:digit:]]*.md", "1a.md", None),
        ("x[[:alpha:]_-].md", "x_.md", True),
        ("[[:punct:]]x", "[x", True),
        ("[[:punct:]]x", "ax", None),
        ("a[!x]b", "a/b", None),
        (r"\[[[:digit:]]", "[1", True),
    ],
)
def test_brackets_are_interpreted_as_git_does(pattern: str, path: str, ignored: bool | None) -> None:  # noqa: FBT001
    assert Patterns("", [pattern]).match(path, folder=False) is ignored


@pytest.mark.parametrize("line", ["[" * 4_000, "\\[" * 2_000 + "[", "a" * 1_000_000, "[" * 1_000_000, "# " * 100_000])
def test_a_long_line_is_compiled_fast(line: str) -> None:
    began = time.process_time()
    assert Patterns("", [line] * 20 + ["[[:digit:]]["]).match("a", folder=False) is None
    assert time.process_time() - began < 5
