"""The daemons that a client trusts: the user's own or root's, if they work on this project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.control_server import serving
from kahnd.api.client import ControlClient
from kahnd.errors import NoDaemonError, NotListeningError, UsageError
from kahnd.platform.unix_socket import project_identity, socket_path

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
LISTEN = """
import os, socket, sys
path, user = sys.argv[1], int(sys.argv[2])
os.setgroups([]), os.setgid(user), os.setuid(user)
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(path)
    listener.listen()
    print(flush=True)
    while True:
        peer, _ = listener.accept()
        asked = peer.recv(1000)
        print(asked.decode(), flush=True)
        peer.close()
"""


@contextmanager
def listening_as(user: int, path: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-I", "-c", LISTEN, str(path), str(user)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()
            path.unlink()


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project whose socket is in the runtime folder, which everybody can enter."""
    runtime = Path(tempfile.mkdtemp(prefix="kahnd-runtime-"))
    runtime.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = tmp_path.joinpath(*["a" * 40] * 4)
    deep.mkdir(parents=True)
    yield deep
    shutil.rmtree(runtime)


def test_a_link_to_another_projects_socket_is_not_followed(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for each in (ours, theirs):
        each.mkdir()
    with serving(theirs) as daemon:
        socket_path(ours).parent.mkdir()
        socket_path(ours).symlink_to(socket_path(theirs))
        with pytest.raises(NotListeningError):
            ControlClient(ours).status()
    assert daemon.asked == []


def test_another_projects_daemon_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    with serving(tmp_path) as daemon:
        daemon.project = project_identity(tmp_path / "theirs")
        for status in (200, 400):
            daemon.answers({"state": "idle"}, status=status)
            with pytest.raises(NoDaemonError, match="no daemon of this project") as raised:
                ControlClient(tmp_path).status()
            assert not isinstance(raised.value, NotListeningError)


def test_an_answer_without_the_projects_identity_is_not_trusted(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        daemon.answers({"report": {}})
        daemon.project = ""
        for version in (daemon.version, "0.0.1"):
            daemon.version = version
            with pytest.raises(NoDaemonError, match="no daemon of this project"):
                ControlClient(tmp_path).build((), force=False, progress=lambda _: None)


def test_a_project_reached_by_another_way_is_the_same(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    with serving(root) as daemon:
        daemon.answers({"state": "idle"})
        assert ControlClient(tmp_path / "link").status()["state"] == "idle"


@as_root
def test_another_users_process_is_sent_nothing_and_not_trusted(deep: Path) -> None:
    path = socket_path(deep)
    path.parent.mkdir(mode=0o700)
    os.chown(path.parent, NOBODY, NOBODY)
    with listening_as(NOBODY, path) as process:
        with pytest.raises(UsageError, match="not a folder of your own"):
            ControlClient(deep).build((), force=False, progress=lambda _: None)
        os.chown(path.parent, os.getuid(), os.getgid())
        with pytest.raises(UsageError, match="another user's process"):
            ControlClient(deep).build((), force=False, progress=lambda _: None)
        process.kill()
        assert process.stdout is not None
        assert not process.stdout.read().strip()


def test_a_folder_that_others_can_write_to_is_not_trusted(deep: Path) -> None:
    with serving(deep):
        socket_path(deep).parent.chmod(0o777)
        with pytest.raises(UsageError, match="chmod go-w"):
            ControlClient(deep).status()
