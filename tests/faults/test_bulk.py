"""Many changes at once are one build, and none of them is missed."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.harness import Daemon, Project, environment, eventually
from e2e.rules import COPIES
from kahnd.watch.debounce import LOCKED_QUIET_S

MANY = 400
ATTEMPTS = 20


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = Project(tmp_path_factory.mktemp("bulk") / "project")
    project.configure(COPIES)
    project.path("docs").mkdir()
    with project.daemon() as daemon:
        yield daemon


@pytest.fixture
def project(live: Daemon, request: pytest.FixtureRequest) -> Iterator[Project]:
    """Provides the daemon's project, and empties it afterwards."""
    yield live.project
    shutil.rmtree(live.project.path(".git"), ignore_errors=True)
    for each in live.project.path("docs").iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    live.project.wait()


def run(*words: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(list(map(str, words)), check=True, timeout=60, env=environment(), cwd=cwd, capture_output=True)


def fill(folder: Path, text: str, count: int = MANY) -> None:
    """Writes files three folders deep."""
    for number in range(count):
        file = folder / f"{number % 7}/{number % 31}/{number}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text} {number}")


def documents_below(folder: str, count: int = MANY) -> list[str]:
    return sorted(f"docs/{folder}/{number % 7}/{number % 31}/{number}.bin" for number in range(count))


def git(project: Project, *words: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    run("git", *identity, *words, cwd=project.root)


@pytest.fixture
def repository(project: Project) -> Project:
    """Creates two branches that differ in every file, and in which files exist."""
    project.write(".gitignore", ".kahnd/\nsite/\n")
    git(project, "init", "-q", "-b", "one")
    fill(project.path("docs/tree"), "one")
    git(project, "add", "docs")
    git(project, "commit", "-qm", "one")
    git(project, "checkout", "-qb", "two")
    fill(project.path("docs/tree"), "two")
    shutil.rmtree(project.path("docs/tree/3"))
    fill(project.path("docs/more"), "more", 100)
    git(project, "add", "-A", "docs")
    git(project, "commit", "-qm", "two")
    project.wait()
    return project


def test_a_checkout_is_one_build(repository: Project) -> None:
    """A busy machine may keep git waiting in the middle of a checkout, which then looks finished: not every time."""
    builds: list[int] = []
    for branch in ("one", "two") * ATTEMPTS:
        builds.append(_builds_after_a_checkout(repository, branch))
        if builds.count(1) > 1:
            return
    pytest.fail(f"checkouts were so many builds: {builds}")


def _builds_after_a_checkout(repository: Project, branch: str) -> int:
    mark = repository.mark()
    git(repository, "checkout", "-q", branch)
    repository.wait()
    rendered = repository.rendered(mark)
    assert len(rendered) == len(set(rendered))
    sources = {each.relative_to(repository.path("docs")) for each in repository.path("docs").rglob("*.bin")}
    assert {name: repository.path(f"docs/{name}").read_bytes() for name in map(str, sources)} == repository.outputs()
    return len(repository.log("build.started", mark))


def test_while_git_holds_its_lock_nothing_is_built(repository: Project) -> None:
    """A git that changes nothing is waited for during LOCKED_QUIET_S, which a busy machine may let pass unseen."""
    eventually(lambda: _builds_once_git_is_done(repository), "nothing is built before git is done")


def _builds_once_git_is_done(repository: Project) -> bool:
    mark, began = repository.mark(), time.monotonic()
    lock = repository.path(".git/index.lock")
    lock.touch()
    for number in range(3):
        repository.path(f"docs/tree/0/0/{number}.bin").write_text(f"changed {number} {began}")
        time.sleep(0.3)
    builds, took_s = repository.log("build.started", mark), time.monotonic() - began
    lock.unlink()
    repository.wait()
    if took_s > LOCKED_QUIET_S or builds:
        return False
    assert len(repository.log("build.started", mark)) == 1
    assert repository.rendered(mark) == [f"docs/tree/0/0/{number}.bin" for number in range(3)]
    return True


@pytest.mark.parametrize(("age_s", "longest_s"), [(3600, 1.5), (0, 4)])
def test_a_stale_git_lock_delays_nothing(repository: Project, age_s: float, longest_s: float) -> None:
    """On a busy machine the daemon may be late for other reasons, but not every time."""
    lock = repository.path(".git/index.lock")
    for attempt in range(ATTEMPTS):
        repository.wait()
        lock.touch()
        os.utime(lock, (time.time() - age_s,) * 2)
        began = time.monotonic()
        with repository.renders("docs/tree/0/0/0.bin"):
            repository.path("docs/tree/0/0/0.bin").write_text(f"changed {age_s} {attempt}")
        took_s = time.monotonic() - began
        lock.unlink()
        if took_s < longest_s:
            return
    pytest.fail(f"it was held up for {took_s:.1f} s, {ATTEMPTS} times")


def rsync(source: Path, target: Path) -> None:
    run("rsync", "-a", f"{source}/", target)


def copy(source: Path, target: Path) -> None:
    run("cp", "-rp", source, target)


def unpack(source: Path, target: Path) -> None:
    archive = source.with_suffix(".tar")
    run("tar", "-cf", archive, "-C", source, ".")
    target.mkdir()
    run("tar", "-xf", archive, "-C", target)


def move(source: Path, target: Path) -> None:
    source.rename(target)


def from_another_process(source: Path, target: Path) -> None:
    """Copies folder by folder and file by file, as fast as possible, into folders that are brand new."""
    script = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"
    run("python3", "-c", script, source, target)


@pytest.mark.parametrize("bring", [rsync, copy, unpack, move, from_another_process])
def test_a_copied_tree_is_one_build(project: Project, tmp_path: Path, bring: Callable[[Path, Path], None]) -> None:
    """A busy machine may keep the program waiting, which then looks finished; but not every time."""
    fill(tmp_path / "from", "text")
    for attempt in range(ATTEMPTS):
        (tmp_path / "from.tar").unlink(missing_ok=True)
        mark, new = project.mark(), f"new{attempt}"
        bring(tmp_path / "from", project.path(f"docs/{new}"))
        project.wait()
        assert project.rendered(mark) == documents_below(new)
        if len(project.log("build.started", mark)) == 1:
            break
        fill(tmp_path / "from", "text")
    assert len(project.log("build.started", mark)) == 1
    project.path(f"docs/{new}/0/0/0.bin").write_text("changed")
    project.wait()
    assert project.output(f"{new}/0/0/0.bin") == "changed"


def test_synchronising_a_tree_again_renders_only_differences(project: Project, tmp_path: Path) -> None:
    fill(tmp_path / "from", "text")
    rsync(tmp_path / "from", project.path("docs/new"))
    project.wait()
    fill(tmp_path / "from", "other text", 50)
    with project.renders(*documents_below("new", 50)):
        rsync(tmp_path / "from", project.path("docs/new"))


def test_moving_a_tree_out_removes_its_outputs_and_back_restores_them(project: Project, tmp_path: Path) -> None:
    fill(project.path("docs/new"), "text")
    project.wait()
    project.path("docs/new").rename(tmp_path / "away")
    project.wait()
    assert project.outputs() == {}
    mark = project.mark()
    (tmp_path / "away").rename(project.path("docs/other"))
    project.wait()
    eventually(lambda: len(project.outputs()) == MANY, "all outputs are there again")
    assert project.rendered(mark) in ([], documents_below("other"))


def test_the_programs_are_installed() -> None:
    assert [each for each in ("git", "rsync", "tar") if shutil.which(each) is None] == []
