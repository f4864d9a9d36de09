from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from kahnd.core import hashing
from kahnd.core.model import Stat
from kahnd.watch.file_hashing import RACY_NS, STREAM_SIZE, hash_file, is_racy, read_file


@pytest.mark.parametrize("size", [0, 1, STREAM_SIZE, STREAM_SIZE + 1, 3 * STREAM_SIZE + 7])
@pytest.mark.parametrize("keep", [True, False])
def test_hash_covers_all_bytes_streamed_or_kept(tmp_path: Path, size: int, keep: bool) -> None:  # noqa: FBT001
    content = os.urandom(size)
    (tmp_path / "a").write_bytes(content)
    hashed = hash_file(str(tmp_path / "a"), keep=keep)
    assert hashed is not None
    assert hashed.digest == hashing.hash_bytes(content)
    assert hashed.content == (content if keep else None)
    assert hashed.stat.size == size
    assert hashed.stat.inode == (tmp_path / "a").stat().st_ino


def test_anything_but_a_regular_file_is_none_and_never_blocks(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name in ("folder", "link", "fifo", "socket", "missing", "file/below", "x" * 256):
            assert hash_file(str(tmp_path / name), keep=True) is None, name
    assert hash_file("/dev/null", keep=True) is None


def test_a_file_that_keeps_changing_is_hashed_as_racy(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("")
    done, first = threading.Event(), threading.Event()

    def append() -> None:
        with file.open("ab", buffering=0) as log:
            while not done.is_set():
                log.write(b"line\n")
                first.set()

    writer = threading.Thread(target=append)
    writer.start()
    first.wait()
    try:
        hashed = hash_file(str(file), keep=True)
    finally:
        done.set()
        writer.join()
    assert hashed is not None
    assert is_racy(hashed.stat)
    assert read_file(str(file)) == file.read_bytes()


@pytest.mark.parametrize(("age_ns", "racy"), [(0, True), (RACY_NS - 1, True), (RACY_NS, False), (-RACY_NS, True)])
def test_a_file_modified_just_before_or_after_hashing_is_racy(age_ns: int, racy: bool) -> None:  # noqa: FBT001
    now = 10 * RACY_NS
    assert is_racy(Stat(1, now - age_ns, 0, 1, now)) is racy
    assert is_racy(Stat(1, 0, now - age_ns, 1, now)) is racy
