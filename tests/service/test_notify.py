"""How the manager is spoken to: by whatever address, whether it listens or not."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kahnd.service.notify import Notifier
from kahnd.service.usage import usage


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        yield listener


def test_what_it_is_told_comes_whole(tmp_path: Path, listener: socket.socket) -> None:
    listener.bind(str(tmp_path / "n"))
    assert Notifier(str(tmp_path / "n")).tell("READY=1", "STATUS=größer")
    assert listener.recv(100).decode() == "READY=1\nSTATUS=größer"


def test_a_name_that_is_in_no_folder_is_one_too(listener: socket.socket) -> None:
    listener.bind(f"\0kahnd-test-{os.getpid()}")
    assert Notifier(f"@kahnd-test-{os.getpid()}").tell("READY=1")
    assert listener.recv(100) == b"READY=1"


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path: Path, listener: socket.socket) -> None:
    listener.bind(str(tmp_path / "n"))
    notifier, sent = Notifier(str(tmp_path / "n")), 0
    while notifier.tell("WATCHDOG=1"):
        sent += 1
    assert sent
    listener.recv(100)
    assert notifier.tell("WATCHDOG=1")


@contextmanager
def no_descriptor() -> Iterator[None]:
    """There is none to be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_a_descriptor_the_manager_is_told_later_and_usage_is_not_known() -> None:
    with no_descriptor():
        gone, used = Notifier("@kahnd-test-nobody").tell("READY=1"), usage()
    assert not gone
    assert used["open_files"] is None
    assert used["memory_mb"]


@pytest.mark.parametrize("name", ["nobody", "long" * 100])
def test_a_manager_that_is_not_there_is_not_told(tmp_path: Path, name: str) -> None:
    assert not Notifier(str(tmp_path / name)).tell("READY=1")


@pytest.mark.parametrize(
    ("given", "address", "watchdog_s"),
    [
        ({}, "", None),
        ({"NOTIFY_SOCKET": "/run/n"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000"}, "@n", 3.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, "/run/n", 3.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "", None),
        ({"WATCHDOG_USEC": "3000000"}, "", None),
    ],
)
def test_what_the_environment_says_is_taken_out_of_it(
    given: dict[str, str], address: str, watchdog_s: float | None
) -> None:
    environ = {"HOME": "/home/me"} | given
    assert Notifier.take(environ) == Notifier(address, watchdog_s)
    assert environ == {"HOME": "/home/me"}
