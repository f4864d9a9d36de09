"""The worker's side: render jobs one at a time until the daemon closes the pipe, then die with all child processes."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from kahnd.core.model import Failed, Job, Outcome, Problem
from kahnd.pool import frames

Render = Callable[[Job], Outcome]


def serve(prepare: Callable[[object], Render]) -> None:
    """Serve jobs on standard input and output. The first frame is what `prepare` makes the renderers from.

    Standard output is kept for the frames alone: whatever a renderer prints goes to standard error.
    """
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    empty = os.open(os.devnull, os.O_RDONLY)
    jobs: SimpleQueue[object] = SimpleQueue()
    private = os.fdopen(os.dup(incoming.fileno()), "rb")
    os.dup2(empty, 0)
    Thread(target=_listen, args=(private, jobs), daemon=True).start()
    render = prepare(jobs.get())
    while True:
        job = jobs.get()
        if isinstance(job, Job):
            outgoing.write(frames.pack(_attempt(render, job)))
            outgoing.flush()


def limit_memory(megabytes: int) -> None:
    """What this process, and each that it starts, may use from now on: an allocation beyond it fails.

    Of private writable memory, which is what a runaway takes; what programs only reserve is not counted.
    """
    limit = megabytes << 20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _listen(incoming: BinaryIO, jobs: SimpleQueue[object]) -> None:
    """Pass jobs on. When the daemon is gone, end the whole process group: a command may be running."""
    while (job := frames.read(incoming)) is not None:
        jobs.put(job)
    os.killpg(0, signal.SIGKILL)


def _attempt(render: Render, job: Job) -> Outcome:
    try:
        return render(job)
    except MemoryError:
        remedy = "give it more with memory_mb in [pool], or let it need less"
        return Failed(Problem("it needs more memory than a worker may use", job.document, remedy=remedy))
    except Exception as error:  # noqa: BLE001 - a fault in a renderer must not take the worker's other documents along
        return Failed(Problem(f"the renderer broke: {type(error).__name__}: {error}", job.document))
