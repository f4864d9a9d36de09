"""Special files, and files that are hard to name or to read: reported if that helps, and never a hindrance."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import Corner, Daemon, Project
from e2e.rules import COPIES, TEXTS

GIB = 1 << 30


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = Project(tmp_path_factory.mktemp("odd") / "project")
    project.configure(TEXTS, COPIES)
    project.write("docs/bystander.txt", "here all along")
    with project.daemon() as daemon:
        yield daemon


def test_a_name_that_is_not_utf8_is_reported_once_and_hides_no_other(corner: Corner) -> None:
    mark = corner.project.mark()
    for text in ("one", "two", "three"):
        corner.path("caf\udce9.txt").parent.mkdir(exist_ok=True)
        corner.path("caf\udce9.txt").write_text(text)
        corner.write("caf\u00e9.txt", text)
        corner.wait()
        assert corner.outputs() == {"caf\u00e9.txt": text.encode()}
    told = corner.project.log("document.unnamed", mark)
    assert [each["document"] for each in told] == [corner.document("caf\\xe9.txt")]
    assert told[0]["remedy"] == "rename it"


def test_a_folder_whose_name_is_not_utf8_is_reported_and_skipped(corner: Corner) -> None:
    mark = corner.project.mark()
    corner.write_all({"caf\udce9/a.txt": "a", "b.txt": "b"})
    corner.wait()
    assert corner.outputs() == {"b.txt": b"b"}
    assert [each["document"] for each in corner.project.log("document.unnamed", mark)] == [corner.document("caf\\xe9")]


def test_a_file_renamed_to_utf8_becomes_a_document(corner: Corner) -> None:
    corner.write("caf\udce9.txt", "a")
    corner.wait()
    corner.path("caf\udce9.txt").rename(corner.path("caf\u00e9.txt"))
    corner.wait()
    assert corner.outputs() == {"caf\u00e9.txt": b"a"}


@pytest.mark.parametrize(
    "name", ["new\nline.txt", " ", "-rf.txt", "\u202e.txt", "a  b.txt", "'\"\\$(x).txt", "\x01.txt"]
)
def test_unusual_names_are_rendered(corner: Corner, name: str) -> None:
    name = f"{name}.bin"
    for text in ("one", "two"):
        with corner.renders(name):
            corner.write(name, text)
        assert corner.outputs() == {name: text.encode()}
    corner.remove(name)
    corner.wait()
    assert corner.outputs() == {}


@pytest.mark.parametrize("name", ["x" * 251, "\u00e9" * 125 + "x"])
def test_names_of_255_bytes(corner: Corner, name: str) -> None:
    corner.write(f"{name}.bin", "one")
    corner.wait()
    corner.path(f"{name}.bin").write_text("two")
    corner.wait()
    assert corner.outputs() == {f"{name}.bin": b"two"}


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        folder = os.open(path.parent, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{folder}/{path.name}")  # a socket's path must be short
        os.close(folder)


def link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_fifo, make_socket, link_to_device])
def test_special_files_are_no_documents(corner: Corner, make: object) -> None:
    assert callable(make)
    corner.write_all({"a.txt": "a", "b.txt": "b"})
    corner.wait()
    make(corner.path("odd.txt"))
    corner.remove("a.txt")
    make(corner.path("a.txt"))
    corner.write("b.txt", "changed")
    corner.wait()
    assert corner.outputs() == {"b.txt": b"changed"}
    corner.remove("a.txt")
    corner.write("a.txt", "a file again")
    corner.wait()
    assert corner.output("a.txt") == "a file again"
    corner.remove("odd.txt")


def resident_bytes(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_file_of_four_gib_is_hashed_in_pieces(corner: Corner, live: Daemon) -> None:
    before = resident_bytes(live.pid)
    corner.write("small.txt", "small")
    with corner.path("large").open("wb") as large:
        large.truncate(4 * GIB)
    corner.wait()
    assert corner.output("small.txt") == "small"
    assert resident_bytes(live.pid) - before < GIB // 4
    corner.remove("large")
    corner.wait()


def test_names_that_differ_only_in_case_are_different(corner: Corner) -> None:
    corner.write_all({"readme.txt": "text", "all.txt": "{% include 'README.txt' ignore missing %}"})
    corner.wait()
    corner.path("readme.txt").rename(corner.path("README.txt"))
    corner.wait()
    assert corner.outputs() == {"README.txt": b"text", "all.txt": b"text"}
    corner.path("README.txt").rename(corner.path("readme.txt"))
    corner.wait()
    assert corner.outputs() == {"readme.txt": b"text", "all.txt": b""}


def test_files_that_vanish_while_they_are_read_leave_nothing(corner: Corner) -> None:
    corner.write("stays.txt", "stays")
    for number in range(300):
        file = corner.path(f"{number % 7}.txt")
        file.write_text(str(number))
        file.unlink()
    mark = corner.project.mark()
    corner.wait()
    assert corner.outputs() == {"stays.txt": b"stays"}
    assert corner.project.log("document.failed", mark) == []
