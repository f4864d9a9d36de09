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

MANY = 400


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = Project(tmp_path_factory.mktemp("bulk") / "project")
    project.configure(COPIES)
    project.path("docs").mkdir()
    with project.daemon() as daemon:
        yield daemon


@pytest.fixture
def project(live: Daemon, request: pytest.FixtureRequest) -> Iterator[Project]:
    """The daemon's project, empty again afterwards."""
    yield live.project
    shutil.rmtree(live.project.path(".git"), ignore_errors=True)
    for each in live.project.path("docs").iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    live.project.wait()


def run(*words: str | Path, cwd: Path | None = None) -> None:
    subprocess.run(list(map(str, words)), check=True, timeout=60, env=environment(), cwd=cwd, capture_output=True)


def fill(folder: Path, text: str, count: int = MANY) -> None:
    """Files three folders deep."""
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
    """Two branches that differ in every file, and in which there are."""
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
    for branch in ("one", "two"):
        mark = repository.mark()
        git(repository, "checkout", "-q", branch)
        repository.wait()
        assert len(repository.log("build.started", mark)) == 1
        rendered = repository.rendered(mark)
        assert len(rendered) == len(set(rendered))
        sources = {each.relative_to(repository.path("docs")) for each in repository.path("docs").rglob("*.bin")}
        assert {
            name: repository.path(f"docs/{name}").read_bytes() for name in map(str, sources)
        } == repository.outputs()


def test_while_git_holds_its_lock_nothing_is_built(repository: Project) -> None:
    mark = repository.mark()
    lock = repository.path(".git/index.lock")
    lock.touch()
    for number in range(3):
        repository.path(f"docs/tree/0/0/{number}.bin").write_text(f"changed {number}")
        time.sleep(0.3)
    assert repository.log("build.started", mark) == []
    lock.unlink()
    repository.wait()
    assert len(repository.log("build.started", mark)) == 1
    assert repository.rendered(mark) == [f"docs/tree/0/0/{number}.bin" for number in range(3)]


@pytest.mark.parametrize(("age_s", "longest_s"), [(3600, 1.5), (0, 4)])
def test_a_lock_that_a_dead_git_left_holds_nothing_up(repository: Project, age_s: float, longest_s: float) -> None:
    repository.wait()
    lock = repository.path(".git/index.lock")
    lock.touch()
    os.utime(lock, (time.time() - age_s,) * 2)
    began = time.monotonic()
    with repository.renders("docs/tree/0/0/0.bin"):
        repository.path("docs/tree/0/0/0.bin").write_text(f"changed {age_s}")
    assert time.monotonic() - began < longest_s
    lock.unlink()


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
    """Folder by folder and file by file, as fast as can be: into folders that are new this instant."""
    script = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"
    run("python3", "-c", script, source, target)


@pytest.mark.parametrize("bring", [rsync, copy, unpack, move, from_another_process])
def test_a_tree_that_is_brought_in_is_one_build(
    project: Project, tmp_path: Path, bring: Callable[[Path, Path], None]
) -> None:
    fill(tmp_path / "from", "text")
    mark = project.mark()
    bring(tmp_path / "from", project.path("docs/new"))
    project.wait()
    assert project.rendered(mark) == documents_below("new")
    assert len(project.log("build.started", mark)) == 1
    project.path("docs/new/0/0/0.bin").write_text("changed")
    project.wait()
    assert project.output("new/0/0/0.bin") == "changed"


def test_a_tree_that_is_synchronised_again_renders_what_differs(project: Project, tmp_path: Path) -> None:
    fill(tmp_path / "from", "text")
    rsync(tmp_path / "from", project.path("docs/new"))
    project.wait()
    fill(tmp_path / "from", "other text", 50)
    with project.renders(*documents_below("new", 50)):
        rsync(tmp_path / "from", project.path("docs/new"))


def test_a_tree_that_is_moved_out_takes_its_outputs_with_it_and_may_come_back(project: Project, tmp_path: Path) -> None:
    fill(project.path("docs/new"), "text")
    project.wait()
    project.path("docs/new").rename(tmp_path / "away")
    project.wait()
    assert project.outputs() == {}
    (tmp_path / "away").rename(project.path("docs/other"))
    mark = project.mark()
    project.wait()
    eventually(lambda: len(project.outputs()) == MANY, "all outputs are there again")
    assert project.rendered(mark) in ([], documents_below("other"))


def test_the_programs_that_these_changes_are_made_with_are_there() -> None:
    assert [each for each in ("git", "rsync", "tar") if shutil.which(each) is None] == []
