"""Causes of real faults: a database server to kill, a small or read-only disk, too few open files."""

from __future__ import annotations

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from e2e.harness import Daemon, Project, eventually
from store.surreal_server import PASSWORD, USER

SERVER = """
import asyncio, sys
from pathlib import Path
from store.surreal_server import SurrealServer

async def main():
    server = SurrealServer(Path(sys.argv[1]), int(sys.argv[2]))
    await server.start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


class DatabaseServer:
    """A database server in a process of its own, which can be killed and restarted with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that make a project use it."""
        url = f"ws://127.0.0.1:{self._port}/rpc"
        return {"KAHND_STORE__URL": url, "KAHND_STORE__USER": USER, "KAHND_STORE__PASSWORD": PASSWORD}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts, and returns once it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(self._folder), str(self._port)], cwd=Path(__file__).parents[1]
        )
        eventually(self._listens, "the server listens")

    def kill(self) -> None:
        """Ends it by kill -9."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Disk:
    """A file system in memory."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def resize(self, kilobytes: int) -> None:
        """Changes its size, as when somebody frees or takes space."""
        _mount("-o", f"remount,size={kilobytes}k", str(self.place))

    def fill(self) -> None:
        """Uses up all free space."""
        with (self.place / "ballast").open("ab", buffering=0) as ballast:
            block = bytes(1 << 12)
            while True:
                try:
                    ballast.write(block)
                except OSError:
                    return

    def clear(self) -> None:
        """Frees that space again."""
        (self.place / "ballast").unlink()

    def protect(self, *, on: bool) -> None:
        """Makes it read-only, or writable again."""
        _mount("-o", f"remount,{'ro' if on else 'rw'}", str(self.place))


@contextmanager
def disk(place: Path, kilobytes: int = 16_384) -> Iterator[Disk]:
    """Mounts a small disk at that path; skips the test if mounting is not allowed."""
    place.mkdir(parents=True, exist_ok=True)
    try:
        _mount("-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(place))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def allow_files(pid: int, number: int | None) -> None:
    """Limits a process's open files (None: to this process's own limit)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard if number is None else number, hard))


def open_files(pid: int) -> int:
    """Returns how many files a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def is_logged(project: Project, event: str, since: int = 0) -> bool:
    """Returns whether that was logged."""
    return bool(project.log(event, since))


def is_running(daemon: Daemon) -> bool:
    """Returns whether the daemon still runs."""
    return daemon._process.poll() is None
