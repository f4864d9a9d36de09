"""When commits have changed files last, in repositories of every sort."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from kahnd.watch import git_history
from kahnd.watch.git_history import GitHistory

NAMES = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.c", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.c"}
SIGNATURE = b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\n"


class Repository:
    """A repository with the folder docs, and its history as kahnd reads it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[str] = []
        self.dates: dict[str, int] = {}
        (root / "docs").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.history = self.anew()

    def anew(self, root: Path | None = None) -> GitHistory:
        return GitHistory(
            root or self.root, lambda error, _: self.told.append(error), lambda path: path.startswith("docs/")
        )

    def git(self, *words: str, date: int = 0) -> bytes:
        dated = {"GIT_COMMITTER_DATE": f"@{date} +0200", "GIT_AUTHOR_DATE": "@1 +0000"} if date else {}
        environment = {**os.environ, **NAMES, **dated, "HOME": str(self.root.parent)}
        return subprocess.run(["git", *words], cwd=self.root, env=environment, check=True, capture_output=True).stdout

    def commit(self, date: int, **files: str | None) -> None:
        for name, text in files.items():
            path = self.root / "docs" / name
            path.unlink(missing_ok=True) if text is None else path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x", date=date)

    def look(self) -> Mapping[str, int | None]:
        """What a look tells, which has to add up to what a first look tells."""
        changed = {str(path): date for path, date in self.history.look().items()}
        self.dates = {path: date for path, date in {**self.dates, **changed}.items() if date is not None}
        assert self.anew().look() == self.dates
        return changed


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "r")


def test_a_file_has_the_date_of_the_latest_commit_that_changed_it(repository: Repository) -> None:
    assert repository.look() == {}
    repository.commit(1000, a="1", b="1")
    assert repository.look() == {"docs/a": 1000, "docs/b": 1000}
    (repository.root / "docs/c").write_text("not committed")
    repository.commit(2000, a="2", c=None)
    assert repository.look() == {"docs/a": 2000}
    assert repository.look() == {}
    repository.commit(1500, b="2")  # with a clock that is behind
    assert repository.look() == {"docs/b": 1500}
    repository.commit(1400, a="3")
    assert repository.look() == {}
    (repository.root / "outside").write_text("x")
    repository.commit(3000)
    assert repository.look() == {}
    assert repository.told == []


def test_names_are_told_as_they_are(repository: Repository) -> None:
    names = ["ünï", "a b", "\nline", '"quoted"', "tab\t"]
    repository.commit(1000, **dict.fromkeys(names, "x"))
    assert repository.look() == {f"docs/{name}": 1000 for name in names}


def test_commits_that_are_gone_take_their_dates_with_them(repository: Repository) -> None:
    repository.commit(1000, a="1")
    repository.commit(2000, a="2", b="1")
    repository.look()
    repository.git("reset", "-q", "--hard", "HEAD~1")
    assert repository.look() == {"docs/a": 1000, "docs/b": None}
    repository.git("checkout", "-q", "--orphan", "empty")
    assert repository.look() == {"docs/a": None}


def test_a_merge_brings_the_dates_of_its_branch(repository: Repository) -> None:
    repository.commit(1000, a="1", b="1")
    repository.git("checkout", "-q", "-b", "side")
    repository.commit(3000, a="2")
    repository.git("checkout", "-q", "main")
    assert repository.look() == {"docs/a": 1000, "docs/b": 1000}
    repository.commit(4000, b="2")
    repository.look()
    repository.git("merge", "-q", "--no-edit", "side", date=5000)
    assert repository.look() == {"docs/a": 3000}


def test_a_renamed_file_begins_anew_and_packed_names_of_commits_are_read(repository: Repository) -> None:
    repository.commit(1000, a="1")
    repository.git("mv", "docs/a", "docs/b")
    repository.commit(2000)
    repository.git("pack-refs", "--all")
    assert repository.look()["docs/b"] == 2000
    repository.commit(3000, b="2")
    assert repository.look() == {"docs/b": 3000}


def test_a_project_in_a_folder_of_a_repository_and_in_a_worktree(repository: Repository, tmp_path: Path) -> None:
    (repository.root / "docs/docs").mkdir()
    (repository.root / "docs/docs/a").write_text("1")
    repository.commit(1000, a="1")
    assert repository.anew(repository.root / "docs").look() == {"docs/a": 1000}
    repository.git("worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    tree = repository.anew(tmp_path / "tree")
    assert tree.look() == {"docs/a": 1000, "docs/docs/a": 1000}
    repository.commit(2000, a="2")
    assert tree.look() == {}


def test_the_oldest_commits_of_a_shallow_clone_give_no_dates_until_it_is_deepened(
    repository: Repository, tmp_path: Path
) -> None:
    for number in (1, 2, 3):
        repository.commit(number * 1000, **{"a": "1", f"b{number}": "1"})
    repository.git("clone", "-q", "--depth", "2", f"file://{repository.root}", str(tmp_path / "clone"))
    clone = repository.anew(tmp_path / "clone")
    assert clone.look() == {"docs/b3": 3000}
    assert "the clone is shallow" in repository.told[0]
    subprocess.run(["git", "fetch", "-q", "--unshallow"], cwd=tmp_path / "clone", check=True)
    assert clone.look() == {"docs/a": 1000, "docs/b1": 1000, "docs/b2": 2000}


def test_without_a_repository_there_are_no_dates(tmp_path: Path) -> None:
    told: list[str] = []
    assert GitHistory(tmp_path, lambda error, _: told.append(error), lambda _: True).look() == {}
    assert told == []


def test_a_failure_of_git_is_told_once_and_ends(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.commit(1000, a="1")
    monkeypatch.setattr(git_history, "RETRY_S", 0.0)
    with monkeypatch.context() as without:
        without.setenv("PATH", "")
        assert repository.history.look() == repository.history.look() == {}
    assert repository.told == ["it can't be told when commits have changed pages last: there is no program `git`"]
    assert repository.look() == {"docs/a": 1000}


def test_a_repository_runs_no_program_by_its_configuration(repository: Repository, tmp_path: Path) -> None:
    mark, script = tmp_path / "ran", tmp_path / "script"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {mark}\n')
    script.chmod(0o755)
    repository.commit(1000, a="1")
    (repository.root / ".gitattributes").write_text("* diff=evil\n")
    repository.commit(2000, a="2")
    text = repository.git("cat-file", "commit", "HEAD").replace(b"\n\n", SIGNATURE, 1)
    (tmp_path / "signed").write_bytes(text)
    signed = repository.git("hash-object", "-t", "commit", "-w", str(tmp_path / "signed"))
    repository.git("reset", "-q", signed.decode().strip())
    for key in ("core.fsmonitor", "core.pager", "diff.external", "diff.evil.command", "diff.evil.textconv"):
        repository.git("config", key, str(script))
    repository.git("config", "gpg.program", str(script))
    for key, value in (("log.showSignature", "true"), ("pager.log", str(script)), ("alias.log", f"!{script}")):
        repository.git("config", key, value)
    for hook in (repository.root / ".git/hooks").iterdir():
        hook.write_text(script.read_text())
    assert repository.anew().look() == {"docs/a": 2000}
    assert not mark.exists()
