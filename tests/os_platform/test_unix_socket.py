"""The check of the peer's user: only the daemon's own user and root are accepted, by the kernel's word."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio
import pytest

from api.operations import FakeOperations, served
from kahnd.platform.unix_socket import may_ask, socket_path, user_of, user_of_bsd

NOBODY: Final = 65534
AS_ANOTHER: Final = """
import os, socket, sys
os.setgroups([]), os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as client:
    client.settimeout(60)
    client.connect(sys.argv[1])
    client.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    while part := client.recv(65536):
        sys.stdout.buffer.write(part)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A project's folder that everybody can enter; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="kahnd-peers-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
async def test_another_user_s_process_is_refused_and_hung_up_on_even_where_the_socket_is_open_to_it(
    open_root: Path,
) -> None:
    operations = FakeOperations()
    async with served(open_root, operations) as client:
        path = socket_path(open_root)
        path.parent.chmod(0o755)
        path.chmod(0o666)
        command = [sys.executable, "-I", "-c", AS_ANOTHER, str(path), str(NOBODY)]
        answer = (await anyio.run_process(command)).stdout  # it ends because the connection does
        async with client.get("/v1/status") as response:
            assert response.status == 200
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"Connection: close" in answer
    assert b"another user" in answer
    assert b'"state"' not in answer


@as_root
async def test_another_user_can_not_even_connect_as_the_socket_is_made(open_root: Path) -> None:
    async with served(open_root, FakeOperations()):
        path = socket_path(open_root)
        path.parent.chmod(0o755)
        command = [sys.executable, "-I", "-c", AS_ANOTHER, str(path), str(NOBODY)]
        with pytest.raises(subprocess.CalledProcessError) as raised:
            await anyio.run_process(command)
    assert b"PermissionError" in raised.value.stderr


def test_a_peer_s_user_is_the_one_who_connected() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        assert user_of(here) == os.geteuid()
        assert may_ask(here)


def test_root_may_ask_any_daemon_and_another_user_none(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        user = user_of(here)
        monkeypatch.setattr(os, "geteuid", lambda: user + 1000)
        assert may_ask(here) == (user == 0)


def test_whom_the_kernel_does_not_know_may_not_ask() -> None:
    with socket.socket(socket.AF_INET) as stranger:
        assert not may_ask(stranger)


def test_what_macos_and_freebsd_tell_of_a_peer_is_understood() -> None:
    assert user_of_bsd(struct.pack("=IIh16I", 0, 501, 1, *[20] * 16)) == 501
    with pytest.raises(OSError, match="unknown version"):
        user_of_bsd(struct.pack("=IIh", 7, 501, 1))
    with pytest.raises(struct.error):
        user_of_bsd(b"")
