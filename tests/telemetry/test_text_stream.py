"""Writing to a stream whose reader reads, does not read, or has gone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from typing import TextIO

import pytest

from kahnd.telemetry import text_stream
from kahnd.telemetry.text_stream import AsyncStream


@dataclass
class Pipe:
    """`stream` is what is written to; `reader` is where it comes out."""

    stream: TextIO
    reader: FileIO

    def fill(self) -> int:
        """Until it takes no more; so many bytes are in it."""
        filled, descriptor = 0, self.stream.fileno()
        os.set_blocking(descriptor, False)
        with suppress(BlockingIOError):
            while True:
                filled += os.write(descriptor, b"x" * 4096)
        os.set_blocking(descriptor, True)
        return filled

    def read(self, count: int) -> bytes:
        told = b""
        while len(told) < count:
            told += os.read(self.reader.fileno(), count - len(told))
        return told


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    with FileIO(reader) as out, os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield Pipe(stream, out)


def _notice(lines: int) -> str:
    return f"{lines} left out\n"


def test_all_that_was_said_is_written_at_the_end_and_in_order(pipe: Pipe) -> None:
    lines = [f"{number} größer\n" for number in range(20_000)]
    expected = "".join(lines).encode()
    told: list[bytes] = []
    reading = threading.Thread(target=lambda: told.append(pipe.read(len(expected))))
    reading.start()
    said = AsyncStream(pipe.stream, _notice)
    for line in lines:
        said.put(line)
    said.close()
    reading.join()
    assert told == [expected]


def test_who_says_something_does_not_wait_and_the_oldest_is_left_out_and_counted(pipe: Pipe) -> None:
    filled = pipe.fill()
    said = AsyncStream(pipe.stream, _notice, kept=100)
    said.put("first\n")
    for _ in range(1_000):
        said.put("one\ntwo\n")
    said.put("last\n")
    pipe.read(filled)
    said.close()
    pipe.stream.close()
    told = os.read(pipe.reader.fileno(), 1 << 16).decode()
    lines = told.splitlines()
    left_out = [int(line.split()[0]) for line in lines if line.endswith("left out")]  # one for each time it is written
    assert lines[-1] == "last"
    assert left_out
    assert len(told) < 200 * len(left_out)
    assert sum(left_out) + len(lines) - len(left_out) == 2_002


def test_at_the_end_one_who_does_not_read_is_not_waited_for_any_longer(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_stream, "CLOSE_S", 0.05)
    filled = pipe.fill()
    said = AsyncStream(pipe.stream, _notice)
    said.put("held up\n")
    before = time.monotonic()
    said.close()
    assert time.monotonic() - before < 10
    assert pipe.read(filled + 8).endswith(b"xheld up\n")


def test_a_pipe_that_others_made_one_that_does_not_wait_loses_nothing(pipe: Pipe) -> None:
    filled = pipe.fill()
    os.set_blocking(pipe.stream.fileno(), False)
    said = AsyncStream(pipe.stream, _notice)
    said.put("a line\n")
    assert pipe.read(filled + 7).endswith(b"xa line\n")
    said.close()


def test_once_nobody_reads_any_more_whoever_writes_there_does_not_fail(pipe: Pipe) -> None:
    pipe.reader.close()
    said = AsyncStream(pipe.stream, _notice)
    said.put("to nobody\n")
    said.close()
    pipe.stream.write("as the interpreter does at its end")
    pipe.stream.flush()
