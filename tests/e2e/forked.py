"""Runs `kahnd` in processes forked from one that has imported it: a short command spends most of its time on imports.

All else is as for the installed command: each has a folder, an environment, streams and an exit code of its own.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

AT_START: Final = frozenset({"PYTHONPATH"})
"""Environment variables that Python reads when it starts, and a forked process therefore does not see."""
_IMPORTED: Final = ("kahnd.cli.main", "kahnd.app.daemon", "kahnd.app.doctor", "kahnd.app.one_shot")
_STREAMS: Final = ("stdout", "stderr")


def run(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Runs `kahnd` with these words to its end. Raises subprocess.TimeoutExpired."""
    with TemporaryDirectory() as folder:
        code = _parent().run({"words": words, "cwd": str(cwd), "env": env, "folder": folder}, timeout_s)
        return subprocess.CompletedProcess(words, code, *(Path(folder, name).read_text() for name in _STREAMS))


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

    def run(self, request: Mapping[str, object], timeout_s: float) -> int:
        """Returns the command's exit code. Raises subprocess.TimeoutExpired."""
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            if not select.select([self._answers], [], [], timeout_s)[0]:
                raise subprocess.TimeoutExpired(f"kahnd {request['words']}", timeout_s)  # noqa: TRY301 - as for any other
            return int(self._answers.readline())
        except BaseException:  # whatever interrupts a test: the next command must not get this one's answer
            _parent.cache_clear()
            self._end()
            raise

    def _end(self) -> None:
        """Kills the process, and the command that it runs."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


@cache
def _parent() -> _Parent:
    return _Parent()


def _serve() -> None:
    """Forks a command for each line, and prints its exit code."""
    for module in _IMPORTED:
        import_module(module)
    gc.freeze()  # no collection of a command's looks at what was imported
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become_kahnd(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201 - the answer


def _become_kahnd(words: Sequence[str], cwd: str, env: Mapping[str, str], folder: str) -> None:
    """Runs the command in this process, as the installed script does; ends by SystemExit."""
    _redirect(0, os.devnull, os.O_RDONLY)
    sys.stdin = os.fdopen(0, closefd=False)
    for number, name in enumerate(_STREAMS, 1):
        _redirect(number, f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
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
