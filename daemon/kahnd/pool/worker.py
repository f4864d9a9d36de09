"""The worker's side: render jobs one at a time until the daemon closes the pipe, then die with all descendants."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import poll
from threading import Thread

from kahnd import descendants
from kahnd.core.model import Failed, Job, Outcome, Problem
from kahnd.pool import frames, stage

Render = Callable[[Job], Outcome]


def serve(prepare: Callable[[object], Render]) -> None:
    """Serve jobs on standard input and output. The first frame is what `prepare` makes the renderers from.

    Standard output is kept for the frames alone: whatever a renderer prints, and does not keep, goes to standard error.
    """
    descendants.adopt()
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        Thread(target=_end_with_daemon, args=(incoming.fileno(),), daemon=True).start()
    except RuntimeError as error:
        sys.exit(f"kahnd: a worker ends, since it {error}: see to the limit on processes (ulimit -u)")
    root = Path.cwd()  # before anything of a plug-in's, which may go elsewhere
    render = prepare(frames.read(incoming))
    unclaimed = descendants.Unclaimed()
    with suppress(BrokenPipeError):
        while isinstance(job := frames.read(incoming), Job):
            outgoing.write(_answer(render, job, root))
            outgoing.flush()
            unclaimed.reap()
    _end()


def limit_memory(megabytes: int) -> None:
    """What this process, and each that it starts, may use from now on: an allocation beyond it fails.

    Of private writable memory, which is what a runaway takes; what programs only reserve is not counted.
    """
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    limit = megabytes << 20 if hard == resource.RLIM_INFINITY else min(megabytes << 20, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def limit_files(number: int) -> None:
    """How many files this process, and each that it starts, may have open: some go through all that they may have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


class OutputBound:
    """How large a file may get that a rendering writes, by this process or by one that it starts: a write beyond fails.

    An output may always be as large as its document, so that anything can be copied.
    """

    def __init__(self, root: Path, megabytes: int) -> None:
        self._root = root
        self._bytes = megabytes << 20
        self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        self._set = -1

    def allow(self, job: Job) -> None:
        """Set it for this rendering."""
        try:
            size = os.stat(f"{self._root}/{job.document}").st_size  # noqa: PTH116 - for every rendering
        except OSError:
            size = 0
        wanted = max(self._bytes, size + 1)
        bound = wanted if self._hard == resource.RLIM_INFINITY else min(wanted, self._hard)
        if bound != self._set:
            resource.setrlimit(resource.RLIMIT_FSIZE, (bound, self._hard))
            self._set = bound


def _end_with_daemon(incoming: int) -> None:
    """When the daemon is gone, and nobody writes there any more, end all that was started: a command may run."""
    hangup = poll()
    hangup.register(incoming, 0)
    hangup.poll()
    _end()


def _end() -> None:
    descendants.kill_below(os.getpid())
    os.killpg(0, signal.SIGKILL)


def _answer(render: Render, job: Job, root: Path) -> bytes:
    try:
        stage.empty((root / job.stage).parent)
    except OSError as error:
        return frames.pack(Failed(stage.not_begun(job, error)))
    began = time.perf_counter()
    try:
        return frames.pack(_attempt(render, job), time.perf_counter() - began)
    except (UnicodeEncodeError, OverflowError):
        remedy = r"look for an escape such as \ud800 in it, and correct that"
        return frames.pack(Failed(Problem("what it refers to is half a character", job.document, remedy=remedy)))


def _attempt(render: Render, job: Job) -> Outcome:
    try:
        return render(job)
    except MemoryError:
        remedy = "give it more with memory_mb in [pool], or let it need less"
        return Failed(Problem("it needs more memory than a worker may use", job.document, remedy=remedy))
    except Exception as error:  # noqa: BLE001 - a fault in a renderer must not take the worker's other documents along
        return Failed(Problem(f"the renderer broke: {type(error).__name__}: {error}", job.document))
