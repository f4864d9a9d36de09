"""The duration of commands that ask the daemon, as a whole process, with Python's start and imports."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from typing import Final

from suite.bench import Bench
from suite.corpora import pages
from suite.corpora.corpus import Corpus
from suite.figures import Figure
from suite.file_changes import WrongError
from suite.measures.guard import guarded
from suite.tools.kahnd import PROGRAM, Kahnd

COMMANDS: Final = ("status", "why", "wait")


def commands(bench: Bench) -> Iterator[Figure]:
    """Measures commands against an idle daemon."""
    size = bench.sizes.middle
    yield from guarded(partial(_measured, bench, size), Kahnd(), "pages", size)


def _measured(bench: Bench, size: int) -> Iterator[Figure]:
    root = bench.folder()
    corpus = pages.for_kahnd(root, "pages", pages.layers(size))
    with Kahnd().watch(corpus):
        for command in COMMANDS:
            words = [command, corpus.rendered[0]] if command == "why" else [command]
            once = partial(_milliseconds, corpus, words)
            values = bench.repeat(bench.effort.edits, once)
            yield Figure(f"kahnd {command}", corpus.sort, size, "kahnd", "ms", values)


def _milliseconds(corpus: Corpus, words: list[str], _number: int) -> float:
    began = time.perf_counter()
    ended = subprocess.run([PROGRAM, *words], cwd=corpus.root, capture_output=True, check=False)
    milliseconds = (time.perf_counter() - began) * 1000
    if ended.returncode:
        raise WrongError(f"kahnd {words[0]}: exit code {ended.returncode}: {ended.stderr[-600:].decode()}")
    return milliseconds
