"""The protocol of kahnd and its peers in measurements, and functions that run programs."""

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
from suite.file_changes import WrongError


@dataclass(frozen=True)
class Watch:
    """A tool that is watching: its process, and whether it is idle."""

    pid: int
    quiet: Callable[[], bool]


class Tool(Protocol):
    """A tool that brings a corpus up to date."""

    name: str
    exact: bool
    """True if it leaves outputs alone that a save does not affect."""
    words: tuple[str, ...]
    """The command that brings all outputs up to date and ends."""

    def absent(self) -> str:
        """Returns why it can't be measured here; empty if it can."""
        ...

    def version(self) -> str:
        """Returns its own statement of its version."""
        ...

    def prepare(self, corpus: Corpus) -> None:
        """Writes its build files."""
        ...

    def output(self, corpus: Corpus, document: str) -> Path:
        """Returns the path of a document's output."""
        ...


class Watching(Tool, Protocol):
    """A tool that keeps a corpus up to date while documents are saved."""

    def watch(self, corpus: Corpus) -> AbstractContextManager[Watch]:
        """Runs until the block ends; the block is entered once the tool waits for saves."""
        ...


def missing(*programs: str) -> str:
    """Returns which of these programs is missing; empty if none is."""
    lacking = [program for program in programs if shutil.which(program) is None]
    return f"no {' and no '.join(lacking)} here" if lacking else ""


def first_line(*words: str) -> str:
    """Returns the first line that a program prints on either stream."""
    finished = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return (finished.stdout + finished.stderr).strip().partition("\n")[0]


def run(root: Path, *words: str) -> None:
    """Runs a command in a corpus to its end. Raises WrongError if it fails."""
    ended = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if ended.returncode:
        raise WrongError(f"{' '.join(words)}: exit code {ended.returncode}: {(ended.stdout + ended.stderr)[-600:]}")


@contextmanager
def background(
    root: Path, words: Sequence[str], output: Path | None = None, stdin: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command until the block ends, with files as its input and output."""
    with (output or Path("/dev/null")).open("wb") as out, (stdin or Path("/dev/null")).open("rb") as into:
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
