"""The commands of a save without any tool: the least time that a tool can take."""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections.abc import Collection
from graphlib import TopologicalSorter
from typing import Final

from suite.corpora.corpus import Corpus
from suite.file_changes import WrongError
from suite.tools.layout import FOLDER, inputs_of, output_name

NAME: Final = "bare commands"
THREADS: Final = 2


def run(corpus: Corpus, documents: Collection[str]) -> None:
    """Runs these documents' commands in the order of their dependencies. The other documents' outputs must exist.

    Raises WrongError if a command fails.
    """
    (corpus.root / FOLDER).mkdir(exist_ok=True)
    wanted = frozenset(documents)
    order = TopologicalSorter({each: wanted.intersection(corpus.needs[each]) for each in wanted})
    order.prepare()
    ready: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    threads = [threading.Thread(target=_work, args=(corpus, ready, done)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    while order.is_active():
        for document in order.get_ready():
            ready.put(document)
        document, status = done.get()
        order.done(document)
        if status:
            raise WrongError(f"cksum of {document}: exit code {status}")
    for _ in threads:
        ready.put(None)
    for thread in threads:
        thread.join()


def _work(corpus: Corpus, ready: queue.SimpleQueue[str | None], done: queue.SimpleQueue[tuple[str, int]]) -> None:
    while document := ready.get():
        done.put((document, _spawn(corpus, document)))


def _spawn(corpus: Corpus, document: str) -> int:
    """posix_spawn can't set a working folder, so every path is absolute."""
    words = ["cksum", *(str(corpus.root / each) for each in inputs_of(corpus, document).split())]
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    into = (os.POSIX_SPAWN_OPEN, 1, str(corpus.root / output_name(document)), flags, 0o644)
    pid = os.posix_spawn(_program(), words, os.environ, file_actions=[into])
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _program() -> str:
    return shutil.which("cksum") or "/usr/bin/cksum"
