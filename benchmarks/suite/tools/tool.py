"""What a measurement needs of kahnd and of each of its peers; and how a program is run."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from suite.corpora.corpus import Corpus
from suite.look import WrongError


@dataclass(frozen=True)
class Watch:
    """A tool at work on what is saved: its process, and whether it has nothing to do."""

    pid: int
    quiet: Callable[[], bool]


class Tool(Protocol):
    """Brings a corpus up to date."""

    name: str
    exact: bool
    """Whether it makes nothing anew that a save does not affect."""
    words: tuple[str, ...]
    """The command that brings all outputs up to date, and ends."""

    def absent(self) -> str:
        """Why it can't be measured here; empty where it can."""
        ...

    def version(self) -> str:
        """As it tells it."""
        ...

    def prepare(self, corpus: Corpus) -> None:
        """Write what it builds by."""
        ...

    def output(self, corpus: Corpus, document: str) -> Path:
        """Where a document's rendering lies."""
        ...


class Watching(Tool, Protocol):
    """A tool that brings them up to date for as long as somebody saves."""

    def watch(self, corpus: Corpus) -> AbstractContextManager[Watch]:
        """At work until the block ends; entered once it waits for saves."""
        ...


def missing(*programs: str) -> str:
    """Why a tool made of these programs is absent; empty where all are there."""
    lacking = [program for program in programs if shutil.which(program) is None]
    return f"no {' and no '.join(lacking)} here" if lacking else ""


def first_line(*words: str) -> str:
    """The first line that a program prints of itself, on whichever stream."""
    told = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return (told.stdout + told.stderr).strip().partition("\n")[0]


def run(root: Path, *words: str) -> None:
    """Run a command in a corpus to its end. Raises WrongError where it fails."""
    ended = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if ended.returncode:
        raise WrongError(f"{' '.join(words)}: exit code {ended.returncode}: {(ended.stdout + ended.stderr)[-600:]}")


@contextmanager
def background(
    root: Path, words: Sequence[str], told: Path | None = None, given: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs until the block ends; what it prints goes to a file, what it reads comes from one."""
    with (told or Path("/dev/null")).open("wb") as out, (given or Path("/dev/null")).open("rb") as into:
        process = subprocess.Popen(words, cwd=root, stdin=into, stdout=out, stderr=out, start_new_session=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
