"""Saves as editors make them: one rendering of the final content, and no report of states in between."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.harness import DEADLINE_S, Corner, Daemon, Project, environment
from e2e.rules import TEXTS

FLASHES = ("document.failed", "document.blocked", "document.removed", "cycle.found")
PAUSE_S = 0.3
"""The writer's own pause in the middle of a save, in seconds."""
ATTEMPTS = 20

OLD = "the old text\n" * 40

Save = Callable[[Path], None]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = Project(tmp_path_factory.mktemp("saves") / "project")
    project.configure(TEXTS)
    project.path("docs").mkdir()
    with project.daemon() as daemon:
        yield daemon


@pytest.fixture
def page(live: Daemon, request: pytest.FixtureRequest) -> Corner:
    """Writes a text, and another that includes it."""
    corner = Corner(live.project, f"save{abs(hash(request.node.name))}")
    corner.write_all({"a.txt": OLD, "all.txt": "{% include 'a.txt' %}\n"})
    corner.wait()
    return corner


def run(*words: str | Path) -> None:
    subprocess.run(list(map(str, words)), check=True, timeout=60, env=environment(), stdout=subprocess.DEVNULL)


def in_place(file: Path) -> None:
    file.write_text("the new text\n")


def vim(*settings: str) -> Save:
    def save(file: Path) -> None:
        options = [word for each in settings for word in ("-c", f"set {each}")]
        run("vim", "-u", "NONE", "-N", "-es", *options, "-c", "%d", "-c", "normal ithe new text", "-c", "wq", file)

    return save


def emacs(file: Path) -> None:
    script = f'(progn (find-file "{file}") (erase-buffer) (insert "the new text\\n") (save-buffer))'
    run("emacs", "-Q", "--batch", "--eval", script)


def jetbrains(file: Path) -> None:
    """Saves as JetBrains' IDEs do with safe write."""
    fresh, old = (file.with_name(f"{file.name}___jb_{kind}___") for kind in ("tmp", "old"))
    fresh.write_text("the new text\n")
    file.rename(old)
    fresh.rename(file)
    old.unlink()


def sed(suffix: str) -> Save:
    def save(file: Path) -> None:
        run("sed", f"-i{suffix}", "-e", "1s/.*/the new text/", "-e", "1!d", file)

    return save


def renamed(name: str) -> Save:
    def save(file: Path) -> None:
        fresh = file.with_name(name)
        fresh.write_text("the new text\n")
        fresh.replace(file)

    return save


def truncated_first(file: Path) -> None:
    """Saves as VS Code does, with the pause of a slow disk."""
    with file.open("w") as opened:
        time.sleep(PAUSE_S)
        opened.write("the new text\n")


def emptied_first(file: Path) -> None:
    """Saves as a shell's `: > file; something >> file` does."""
    file.write_text("")
    time.sleep(PAUSE_S)
    with file.open("a") as opened:
        opened.write("the new text\n")


def piecemeal(file: Path) -> None:
    with file.open("w", buffering=1) as opened:
        for piece in ("{% if true %}\n", "{% endif %}", "the new ", "text\n"):
            opened.write(piece)
            opened.flush()
            time.sleep(PAUSE_S / 3)


def removed_first(file: Path) -> None:
    file.unlink()
    time.sleep(PAUSE_S / 10)
    file.write_text("the new text\n")


def moved_aside_first(file: Path) -> None:
    """Saves as Emacs does, and Vim with `backup`."""
    file.rename(file.with_name(f"{file.name}~"))
    time.sleep(PAUSE_S / 10)
    file.write_text("the new text\n")


SAVES: dict[str, Save] = {
    "in place": in_place,
    "vim": vim(),
    "vim, backup": vim("backup"),
    "vim, backupcopy": vim("backup", "backupcopy=yes"),
    "vim, a new file": vim("backupcopy=no"),
    "emacs": emacs,
    "JetBrains": jetbrains,
    "sed -i": sed(""),
    "renamed": renamed(".a.txt.tmp81"),
    "renamed, GNOME": renamed(".goutputstream-A1B2C3"),
    "truncated first": truncated_first,
    "emptied first": emptied_first,
    "piecemeal": piecemeal,
    "removed first": removed_first,
    "moved aside first": moved_aside_first,
}


LONGEST_S = {
    "truncated first": 1.5 * PAUSE_S,
    "emptied first": 1.5 * PAUSE_S,
    "piecemeal": 2 * PAUSE_S,
    "removed first": PAUSE_S / 4,
    "moved aside first": PAUSE_S / 4,
}
"""A longer save was delayed by a busy machine, and does not test what it should."""


def saved(page: Corner, name: str, before: Callable[[], object], file: str = "a.txt") -> int:
    """Saves until a save is not delayed, each time after `before`; returns the length of the log before it."""
    while True:
        before()
        page.wait()
        mark, began = page.project.mark(), time.monotonic()
        SAVES[name](page.path(file))
        is_in_time = time.monotonic() - began < LONGEST_S.get(name, DEADLINE_S)
        page.wait()
        if is_in_time:
            return mark


@pytest.mark.parametrize("name", SAVES)
def test_a_save_renders_its_final_content_once(page: Corner, name: str) -> None:
    mark = saved(page, name, before=lambda: page.write("a.txt", OLD))
    assert page.project.rendered(mark) == [page.document("a.txt"), page.document("all.txt")]
    assert page.output("all.txt").strip().startswith("the new text")
    assert not [each for each in page.project.log(since=mark) if each["event"] in FLASHES]
    assert sorted(page.outputs()) == ["a.txt", "all.txt"]


def test_a_backup_that_is_a_document_is_in_the_same_build(page: Corner) -> None:
    """A busy machine may keep `sed` waiting between its two files, but not every time."""
    for _ in range(ATTEMPTS):
        page.path("a.txt.txt").unlink(missing_ok=True)
        page.write("a.txt", OLD)
        page.wait()
        mark = page.project.mark()
        sed(".txt")(page.path("a.txt"))
        page.wait()
        assert page.output("a.txt.txt").startswith("the old text")
        assert page.output("all.txt").strip() == "the new text"
        builds = page.project.log("build.started", mark)
        if len(builds) == 1:
            break
    assert len(builds) == 1


def test_an_emptied_file_is_rendered_empty(page: Corner) -> None:
    with page.renders("a.txt", "all.txt"):
        page.path("a.txt").write_text("")
    assert page.output("a.txt") == ""


def test_a_file_that_stays_open_for_writing_is_seen(page: Corner) -> None:
    with page.path("a.txt").open("a") as opened, page.renders("a.txt", "all.txt"):
        opened.write("and more\n")
        opened.flush()
    assert page.output("a.txt").endswith("and more\n")


def test_a_new_file_appears_whole(page: Corner) -> None:
    mark = saved(page, "truncated first", lambda: page.path("new.txt").unlink(missing_ok=True), "new.txt")
    assert page.project.rendered(mark) == [page.document("new.txt")]
    assert page.output("new.txt") == "the new text\n"


def test_saves_while_it_renders_end_with_the_last(page: Corner) -> None:
    for number in range(40):
        page.path("a.txt").write_text(f"text {number}\n")
    page.wait()
    assert page.output("all.txt").strip() == "text 39"


def test_a_save_that_restores_the_time_is_seen(page: Corner) -> None:
    """`cp -p` and `touch -r` restore times, so size and time are as before."""
    file, before = page.path("a.txt"), page.path("a.txt").stat()
    with page.renders("a.txt", "all.txt"):
        file.write_text("the new text\n" * 40)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns


def test_the_editors_are_installed() -> None:
    assert [each for each in ("vim", "emacs", "sed") if shutil.which(each) is None] == []
