"""Cold builds and null builds, each in a process of its own."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from suite.corpora.corpus import Corpus
from suite.figures import Figure, Unit
from suite.file_changes import WrongError, identities, identity
from suite.processes import cpu_of_ended, seen_of
from suite.tools.kahnd import Kahnd, rendered_last
from suite.tools.tool import Tool

MADE: Final = (".kahnd", "site", "out", "public", "resources", ".ninja_log", ".ninja_deps", ".tup", ".hugo_build.lock")
"""The files and folders that the tools create in a corpus."""

DATABASE: Final = ("tokio", "surreal")
"""Prefixes of the database's thread names. These threads may end early, so their time is the remainder."""


@dataclass(frozen=True)
class Built:
    """A build's duration, and the peak memory and processor time of its processes.

    `own_s` is the part of the processor time in the tool's own process, and `database_s` the part of that in the
    threads of kahnd's database.
    """

    seconds: float
    peak_mb: float
    cpu_s: float
    own_s: float
    database_s: float


def forget(corpus: Corpus) -> None:
    """Returns a corpus to its state before any build by moving what was built elsewhere."""
    aside = Path(tempfile.mkdtemp(prefix="aside-", dir=corpus.root.parent))
    for name in MADE:
        if (corpus.root / name).exists():
            (corpus.root / name).rename(aside / name)


def cold(tool: Tool, corpus: Corpus) -> Built:
    """Measures a build from nothing, after which every document must have an output."""
    forget(corpus)
    tool.prepare(corpus)
    built = _run(tool, corpus)
    lacking = [document for document in corpus.rendered if identity(tool.output(corpus, document)) is None]
    if lacking:
        raise WrongError(f"{tool.name} left {len(lacking)} of {len(corpus.rendered)} outputs out: {lacking[:3]}")
    _check_log(tool, corpus, len(corpus.rendered))
    return built


def _check_log(tool: Tool, corpus: Corpus, rendered: int) -> None:
    if isinstance(tool, Kahnd) and (logged := rendered_last(corpus)) != rendered:
        raise WrongError(f"the log's last build rendered {logged} documents, not {rendered}")


def _run(tool: Tool, corpus: Corpus) -> Built:
    with tempfile.TemporaryFile() as output:
        began, before = time.perf_counter(), cpu_of_ended()
        process = subprocess.Popen(tool.words, cwd=corpus.root, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        with seen_of(process.pid) as seen:
            process.wait()
            seconds = time.perf_counter() - began
        if process.returncode:
            output.seek(0)
            raise WrongError(f"{tool.name}: exit code {process.returncode}: {output.read()[-600:].decode()}")
    others = sum(time for name, time in seen.by_thread.items() if not name.startswith(DATABASE))
    return Built(seconds, seen.mb, cpu_of_ended() - before, seen.own_s, seen.own_s - others)


def null(tool: Tool, corpus: Corpus) -> float:
    """Returns the seconds of a build with nothing to do, which must change nothing."""
    outputs = [tool.output(corpus, document) for document in corpus.rendered]
    before = identities(outputs)
    seconds = _run(tool, corpus).seconds
    if tool.exact and identities(outputs) != before:
        raise WrongError(f"{tool.name} had nothing to do, and did something")
    _check_log(tool, corpus, 0)
    return seconds


def null_start(corpus: Corpus) -> float:
    """Returns the seconds from the start of the daemon's process to the log line of its first build's end.

    They include imports, opening the database, and looking at every source and output. Nothing may be rendered.
    """
    with Kahnd().watch(corpus) as daemon:
        if daemon.log.rendered():
            raise WrongError("a start with nothing to do rendered something")
        return daemon.start_s


def figures(corpus: Corpus, tool: Tool, built: Sequence[Built]) -> Iterator[Figure]:
    """Yields the durations of cold builds, and the memory and processor time that they took."""
    yield _figure("cold build", corpus, tool, "s", [each.seconds for each in built])
    yield _figure("cold build's memory", corpus, tool, "MB", [each.peak_mb for each in built])
    yield _figure("cold build's CPU", corpus, tool, "s", [each.cpu_s for each in built])
    if isinstance(tool, Kahnd):
        of_daemon = [each.own_s - each.database_s for each in built]
        yield _figure("cold build's CPU, daemon", corpus, tool, "s", of_daemon)
        yield _figure("cold build's CPU, database", corpus, tool, "s", [each.database_s for each in built])
        of_workers = [each.cpu_s - each.own_s for each in built]
        yield _figure("cold build's CPU, workers", corpus, tool, "s", of_workers)


def _figure(measure: str, corpus: Corpus, tool: Tool, unit: Unit, values: Sequence[float]) -> Figure:
    return Figure(measure, corpus.sort, len(corpus.rendered), tool.name, unit, tuple(values))
