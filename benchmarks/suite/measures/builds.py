"""Builds from nothing and builds with nothing to do, each a process of its own."""

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
from suite.look import WrongError, identities, identity
from suite.processes import cpu_of_ended, seen_of
from suite.tools.kahnd import Kahnd, rendered_last
from suite.tools.tool import Tool

MADE: Final = (".kahnd", "site", "out", "public", "resources", ".ninja_log", ".ninja_deps", ".tup", ".hugo_build.lock")
"""What any of the tools leaves in a corpus; without it, it is as written."""

DATABASE: Final = ("tokio", "surreal")
"""How the names of its threads begin. They end when it is opened anew, so their time is all that is not the others'."""


@dataclass(frozen=True)
class Built:
    """A build's seconds, the most that its processes held, and the processor time they took.

    Of that time `own_s` is of the tool's process, and of that `database_s` of the threads of kahnd's database.
    """

    seconds: float
    peak_mb: float
    cpu_s: float
    own_s: float
    database_s: float


def forget(corpus: Corpus) -> None:
    """Make a corpus as it was before any build; what was built is put aside."""
    aside = Path(tempfile.mkdtemp(prefix="aside-", dir=corpus.root.parent))
    for name in MADE:
        if (corpus.root / name).exists():
            (corpus.root / name).rename(aside / name)


def cold(tool: Tool, corpus: Corpus) -> Built:
    """A build from nothing; every document must have an output then."""
    forget(corpus)
    tool.prepare(corpus)
    built = _run(tool, corpus)
    lacking = [document for document in corpus.rendered if identity(tool.output(corpus, document)) is None]
    if lacking:
        raise WrongError(f"{tool.name} left {len(lacking)} of {len(corpus.rendered)} outputs out: {lacking[:3]}")
    _check_log(tool, corpus, len(corpus.rendered))
    return built


def _check_log(tool: Tool, corpus: Corpus, rendered: int) -> None:
    if isinstance(tool, Kahnd) and (told := rendered_last(corpus)) != rendered:
        raise WrongError(f"the log's last build rendered {told} documents, not {rendered}")


def _run(tool: Tool, corpus: Corpus) -> Built:
    with tempfile.TemporaryFile() as told:
        began, before = time.perf_counter(), cpu_of_ended()
        process = subprocess.Popen(tool.words, cwd=corpus.root, stdin=subprocess.DEVNULL, stdout=told, stderr=told)
        with seen_of(process.pid) as seen:
            process.wait()
            seconds = time.perf_counter() - began
        if process.returncode:
            told.seek(0)
            raise WrongError(f"{tool.name}: exit code {process.returncode}: {told.read()[-600:].decode()}")
    others = sum(time for name, time in seen.by_thread.items() if not name.startswith(DATABASE))
    return Built(seconds, seen.mb, cpu_of_ended() - before, seen.own_s, seen.own_s - others)


def null(tool: Tool, corpus: Corpus) -> float:
    """Seconds of a build with nothing to do; it must do nothing."""
    outputs = [tool.output(corpus, document) for document in corpus.rendered]
    before = identities(outputs)
    seconds = _run(tool, corpus).seconds
    if tool.exact and identities(outputs) != before:
        raise WrongError(f"{tool.name} had nothing to do, and did something")
    _check_log(tool, corpus, 0)
    return seconds


def null_start(corpus: Corpus) -> float:
    """Seconds from the daemon's start as a process to its log's line that the first build has ended: all is quiet.

    Imports, the database's opening and the look at every source and output are in it. Nothing may be rendered.
    """
    with Kahnd().watch(corpus) as daemon:
        if daemon.log.rendered():
            raise WrongError("a start with nothing to do rendered something")
        return daemon.start_s


def figures(corpus: Corpus, tool: Tool, built: Sequence[Built]) -> Iterator[Figure]:
    """Of cold builds: how long they took, and what of the machine."""
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
