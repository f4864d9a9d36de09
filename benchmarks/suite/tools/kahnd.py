"""kahnd itself, as installed: its commands, its daemon, its log."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suite.corpora.corpus import Corpus
from suite.file_changes import WrongError, until
from suite.tools.log import Log
from suite.tools.tool import Watch, background

PROGRAM: Final = str(Path(sys.executable).with_name("kahnd"))


@dataclass(frozen=True)
class Daemon(Watch):
    """A running daemon, its log from its start, and the seconds until its first build had ended."""

    log: Log
    start_s: float


class Kahnd:
    """Fulfils Tool."""

    name = "kahnd"
    exact = True
    words: tuple[str, ...] = (PROGRAM, "build")

    def absent(self) -> str:
        return ""

    def version(self) -> str:
        return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def prepare(self, corpus: Corpus) -> None:
        """Does nothing: a corpus is written with its `kahnd.toml`."""

    @contextmanager
    def watch(self, corpus: Corpus) -> Iterator[Daemon]:
        log = log_of(corpus)
        began = time.perf_counter()
        with background(corpus.root, [PROGRAM, "run"]) as process:
            until(lambda: log.quiet() or process.poll() is not None, "the daemon's first build has ended")
            if process.returncode is not None:
                raise WrongError(f"the daemon ended with exit code {process.returncode}")
            start_s = time.perf_counter() - began
            yield Daemon(process.pid, log.quiet, log, start_s)

    def output(self, corpus: Corpus, document: str) -> Path:
        return corpus.root / "site" / corpus.place(document)


def rendered_last(corpus: Corpus) -> int:
    """Returns the number of documents that the last build in the log rendered."""
    with _log_path(corpus).open("rb") as log:
        ended = [entry for entry in map(json.loads, log) if entry["event"] == "build.finished"]
    return int(ended[-1]["rendered"]) if ended else 0


def log_of(corpus: Corpus) -> Log:
    """Returns the log of a corpus from now on."""
    return Log(_log_path(corpus))


def _log_path(corpus: Corpus) -> Path:
    return corpus.root / ".kahnd" / "log" / "kahnd.jsonl"
