"""Runs `kahnd` in processes forked from one that has imported it: a short command spends most of its time on imports.

All else is as for the installed command: each has a folder, an environment, streams and an exit code of its own. A
daemon also has a session of its own.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any, Final, NoReturn

AT_START: Final = frozenset({"PYTHONPATH", "TZ", "LANG", "LC_ALL"})
"""Environment variables that Python reads when it starts, and a forked process therefore does not see."""
_IMPORTED: Final = ("kahnd.cli.main", "kahnd.app.daemon", "kahnd.app.doctor", "kahnd.app.one_shot")
_STREAMS: Final = ("stdout", "stderr")
_STARTS_WITHIN_S: Final = 300.0
_POLL_S: Final = 0.01


def run(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs `kahnd` with these words to its end. Raises subprocess.TimeoutExpired."""
    with TemporaryDirectory() as folder:
        streams = [f"{folder}/{name}" for name in _STREAMS]
        code = _parent().ask({"words": words, "cwd": str(cwd), "env": env, "streams": streams}, timeout_s)
        return subprocess.CompletedProcess(words, code, *(Path(each).read_text() for each in streams))


def start(words: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Path) -> Started:
    """Starts `kahnd` with these words, in a session of its own; all that it prints goes to the file `output`."""
    folder = mkdtemp()
    ended, streams = f"{folder}/ended", [str(output)] * len(_STREAMS)
    request = {"words": words, "cwd": str(cwd), "env": env, "streams": streams, "ended": ended}
    return Started(_parent().ask(request, _STARTS_WITHIN_S), Path(ended))


class Started:
    """A `kahnd` that runs, with what `subprocess.Popen` has."""

    def __init__(self, pid: int, ended: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Returns its exit code; None while it runs."""
        if self.returncode is None and self._ended.exists():
            self.returncode = int(self._ended.read_text())
            shutil.rmtree(self._ended.parent)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Returns its exit code, once it has ended. Raises subprocess.TimeoutExpired."""
        until = time.monotonic() + (_STARTS_WITHIN_S if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("kahnd", timeout or _STARTS_WITHIN_S)
            time.sleep(_POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills it."""
        self.send_signal(signal.SIGKILL)


class _Parent:
    """The process that the commands are forked from, one after another: this module, run as a script."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        atexit.register(self._end)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def ask(self, request: Mapping[str, object], timeout_s: float) -> int:
        """Returns the command's exit code, or a daemon's process id. Raises subprocess.TimeoutExpired."""
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            if not select.select([self._answers], [], [], timeout_s)[0]:
                raise subprocess.TimeoutExpired(f"kahnd {request['words']}", timeout_s)  # noqa: TRY301 - as for any other
            return int(self._answers.readline())
        except BaseException:  # whatever interrupts a test: the next command must not get this one's answer
            _started_parent.cache_clear()
            self._end()
            raise

    def _end(self) -> None:
        """Kills the process, and the command that it runs."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


def _parent() -> _Parent:
    """The one that runs; a new one if a test has ended all children of this process."""
    if _started_parent().has_ended:
        _started_parent.cache_clear()
    return _started_parent()


@cache
def _started_parent() -> _Parent:
    return _Parent()


def _serve() -> None:
    """Forks a command for each line, and prints its exit code, or that of a daemon, and prints its process id."""
    for module in _IMPORTED:
        import_module(module)
    gc.freeze()  # no collection of a command's looks at what was imported
    for line in sys.stdin:
        request = json.loads(line)
        ended = request.pop("ended", None)
        answer = _start(request, ended) if ended else _run(request)
        print(answer, flush=True)  # noqa: T201 - that is what it is for
        _reap()


def _run(request: Mapping[str, Any]) -> int:
    pid = os.fork()
    if not pid:
        _become_kahnd(**request)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _start(request: Mapping[str, Any], ended: str) -> int:
    """Returns the process id of a command that is left running, below a process that notes its exit code in a file."""
    reading, writing = os.pipe()
    if not os.fork():
        os.close(reading)
        _keep(request, ended, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        return int(told.read())


def _keep(request: Mapping[str, Any], ended: str, writing: int) -> NoReturn:
    os.setsid()
    pid = os.fork()
    if not pid:
        os.close(writing)
        os.setsid()
        _become_kahnd(**request)
    for number in (0, 1):  # who asked must see their end
        _redirect(number, os.devnull, os.O_RDWR)
    os.write(writing, str(pid).encode())
    os.close(writing)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with suppress(OSError):  # nobody is there any more who would read it
        Path(f"{ended}.new").write_text(str(code))
        Path(f"{ended}.new").rename(ended)
    os._exit(0)


def _reap() -> None:
    """Reaps processes that have noted what they had to."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become_kahnd(words: Sequence[str], cwd: str, env: Mapping[str, str], streams: Sequence[str]) -> NoReturn:
    """Runs the command in this process, as the installed script does; ends by SystemExit."""
    _redirect(0, os.devnull, os.O_RDONLY)
    sys.stdin = os.fdopen(0, closefd=False)
    for number, (name, file) in enumerate(zip(_STREAMS, streams, strict=True), 1):
        _redirect(number, file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        setattr(sys, name, os.fdopen(number, "w", closefd=False))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[:] = ["kahnd", *words]

    from kahnd.__main__ import main  # noqa: PLC0415 - that of the installed script

    main()


def _redirect(number: int, file: str, flags: int) -> None:
    opened = os.open(file, flags, 0o600)
    os.dup2(opened, number)
    os.close(opened)


if __name__ == "__main__":
    _serve()
