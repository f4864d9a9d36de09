"""The worker's side: renders one job at a time until the daemon closes the pipe, then dies with all descendants.

The daemon and a worker exchange frames: a length, a type, seconds, and MessagePack. The first frame is a pickle, since
it holds plug-ins' own types. Pickle is safe here, and only here: both ends are the same code in processes of the same
user, one started by the other.
"""

from __future__ import annotations

import os
import pickle
import resource
import shutil
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from select import poll
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from kahnd.core.model import Failed, Job, Outcome, Problem, Rendered, Unmet
from kahnd.core.output_paths import stage_folder
from kahnd.platform import processes

if TYPE_CHECKING:
    from anyio.streams.buffered import BufferedByteReceiveStream  # workers do not load anyio

Render = Callable[[Job], Outcome]
_HEADER: Final = struct.Struct("!IBd")
_TYPES: Final = (Job, Rendered, Failed, Unmet)
_DECODERS: Final = tuple(msgspec.msgpack.Decoder[Job | Outcome](each) for each in _TYPES)
_PICKLED: Final = len(_TYPES)


def serve(prepare: Callable[[object], Render]) -> None:
    """Serve jobs on standard input and output; `prepare` makes the renderers from the first frame's value.

    Standard output is reserved for frames: anything else that a renderer prints goes to standard error.
    """
    processes.become_subreaper()
    processes.resume_when_orphaned()
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        Thread(target=_end_with_daemon, args=(incoming.fileno(),), daemon=True).start()
    except RuntimeError as error:
        sys.exit(f"kahnd: a worker ends, since it {error}: raise the limit on processes (ulimit -u)")
    try:
        root = Path.cwd()  # before plug-ins are loaded, which may change the working folder
    except FileNotFoundError:
        sys.exit("kahnd: a worker ends, since the project's folder is gone")
    render = prepare(read_frame(incoming))
    unclaimed = processes.UnclaimedChildren()
    with suppress(BrokenPipeError):
        while isinstance(job := read_frame(incoming), Job):
            outgoing.write(_answer(render, job, root))
            outgoing.flush()
            unclaimed.reap()
    _end()


class MemoryBound:
    """Limits the memory of this process, and of each that it starts: allocations beyond it fail.

    Counts private writable memory, as a runaway program takes it; memory that is only reserved does not count.
    `most`: the megabytes that no process may go beyond, whatever is allowed later.
    """

    def __init__(self, most: int) -> None:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        self._hard = most << 20 if hard == resource.RLIM_INFINITY else min(most << 20, hard)
        self._current = -1

    def allow(self, megabytes: int) -> None:
        """Set the limit."""
        limit = min(megabytes << 20, self._hard)
        if limit != self._current:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, self._hard))
            self._current = limit


def limit_files(number: int) -> None:
    """Limit the open files of this process, and of each that it starts: some programs loop over all descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))


class OutputBound:
    """Limits the size of each file that a rendering writes, in this process or in one that it starts.

    An output may always be as large as its document, so that any file can be copied.
    """

    def __init__(self, root: Path, megabytes: int) -> None:
        self._root = root
        self._default = megabytes << 20
        self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        self._current = -1

    def allow(self, job: Job) -> None:
        """Set the limit for this rendering."""
        try:
            size = os.stat(f"{self._root}/{job.document}").st_size  # noqa: PTH116 - for every rendering
        except OSError:  # a generated document is no larger than another's output
            size = 0
        wanted = max(self._default, size + 1)
        limit = wanted if self._hard == resource.RLIM_INFINITY else min(wanted, self._hard)
        if limit != self._current:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, self._hard))
            self._current = limit


def start_problem(job: Job, error: OSError) -> Problem:
    """Return the problem of a rendering that the machine has no space, processes or files for; it may pass."""
    remedy = "check the machine's space, memory and limits (ulimit -n, ulimit -u)"
    return Problem(f"it can't be rendered here: {error.strerror}", job.document, remedy=remedy, passing=True)


def _end_with_daemon(incoming: int) -> None:
    """Wait until the daemon closes the pipe, and end everything then: a command may be running."""
    hangup = poll()
    hangup.register(incoming, 0)
    hangup.poll()
    _end()


def _end() -> None:
    processes.kill_descendants(os.getpid())
    os.killpg(0, signal.SIGKILL)


def _answer(render: Render, job: Job, root: Path) -> bytes:
    try:
        _prepare_stage(root / stage_folder(job))
    except OSError as error:
        return frame(Failed(start_problem(job, error)))
    began = time.perf_counter()
    try:
        return frame(_attempt(render, job), time.perf_counter() - began)
    except (UnicodeEncodeError, OverflowError):
        remedy = r"look for an escape such as \ud800 in it, and correct that"
        return frame(Failed(Problem("what it refers to is half a character", job.document, remedy=remedy)))


def _prepare_stage(stage: Path) -> None:
    """Make a rendering's folder, or empty it of what an earlier rendering left. Raises OSError."""
    if stage.is_symlink():  # a program put it there; the link's target is not kahnd's
        stage.unlink()
    try:
        entries = list(stage.iterdir())
    except FileNotFoundError:
        stage.mkdir(parents=True, exist_ok=True)
        return
    for each in entries:
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def _attempt(render: Render, job: Job) -> Outcome:
    try:
        return render(job)
    except MemoryError:
        remedy = "allow it more with memory_mb in its rule or in [pool], or make it need less"
        return Failed(Problem("it needs more memory than a worker may use", job.document, remedy=remedy))
    except Exception as error:  # noqa: BLE001 - a broken renderer must not end the worker
        return Failed(Problem(f"the renderer broke: {type(error).__name__}: {error}", job.document))


def greeting_frame(value: object) -> bytes:
    """Return the frame that a worker receives first."""
    return _framed(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), _PICKLED, 0)


def frame(value: Job | Outcome, seconds: float = 0) -> bytes:
    """Return a frame; `seconds` is how long an outcome took. Raises UnicodeEncodeError for an unpaired surrogate."""
    return _framed(msgspec.msgpack.encode(value), _TYPES.index(type(value)), seconds)


def read_frame(stream: BinaryIO) -> object | None:
    """Return the next frame's value, or None if the other end has closed. Blocking."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    length, kind, _ = _HEADER.unpack(header)
    return _value(stream.read(length), kind)


async def receive_frame(stream: BufferedByteReceiveStream) -> tuple[object, float]:
    """Return the next frame's value and seconds. Raises anyio.IncompleteRead or EndOfStream if the other end closes."""
    length, kind, seconds = _HEADER.unpack(await stream.receive_exactly(_HEADER.size))
    return _value(await stream.receive_exactly(length), kind), seconds


def _framed(body: bytes, kind: int, seconds: float) -> bytes:
    return _HEADER.pack(len(body), kind, seconds) + body


def _value(body: bytes, kind: int) -> object:
    return pickle.loads(body) if kind == _PICKLED else _DECODERS[kind].decode(body)  # noqa: S301 - see above
