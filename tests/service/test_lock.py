from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from kahnd.errors import AlreadyRunningError, PlaceError, UsageError
from kahnd.service.lock import project_lock
from kahnd.service.paths import socket_path, unkept

HOLDER = """
import sys
from pathlib import Path
from kahnd.service.lock import project_lock

with project_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that holds a project's lock until it is told to end, or killed."""

    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-c", HOLDER, str(root)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        assert self._process.stdout
        assert self._process.stdout.readline() == "held\n"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._process.wait()


def test_a_second_holder_is_refused_with_the_first_one_s_pid(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        with pytest.raises(AlreadyRunningError) as raised, project_lock(tmp_path, patience_s=0):
            pass
        assert str(holder.pid) in str(raised.value)
        assert raised.value.exit_code == 4


def test_one_who_only_looks_is_waited_for(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder._process.communicate()
        with project_lock(tmp_path):
            assert (tmp_path / ".kahnd/lock").read_text() == f"{os.getpid()}\n"


def test_where_a_daemon_listens_nobody_waits(tmp_path: Path) -> None:
    with Holder(tmp_path), socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(socket_path(tmp_path)))
        daemon.listen()
        with pytest.raises(AlreadyRunningError), project_lock(tmp_path, patience_s=1000):
            pass


def test_a_crash_releases_the_lock(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder.kill()
        with project_lock(tmp_path, patience_s=0):
            pass


def test_the_lock_can_be_taken_again_and_its_file_stays(tmp_path: Path) -> None:
    for _ in range(2):
        with project_lock(tmp_path, patience_s=0):
            pass
        assert (tmp_path / ".kahnd/lock").exists()


def test_two_projects_are_held_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with project_lock(tmp_path / "one", patience_s=0), project_lock(tmp_path / "two", patience_s=0):
        pass


def test_the_state_folder_and_the_lock_are_their_owner_s_alone(tmp_path: Path) -> None:
    with project_lock(tmp_path):
        assert (tmp_path / ".kahnd").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / ".kahnd/lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT, errno.EMFILE, errno.EIO])
def test_what_may_pass_has_a_code_that_a_daemon_is_restarted_for(trouble: int) -> None:
    error = unkept("no", Path("/here"), "wait", OSError(trouble, os.strerror(trouble)))
    assert isinstance(error, PlaceError)
    assert error.exit_code == 5
    assert os.strerror(trouble) in str(error)


@pytest.mark.parametrize("trouble", [errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR])
def test_what_somebody_has_to_mend_has_another(trouble: int) -> None:
    assert isinstance(unkept("no", Path("/here"), "mend it", OSError(trouble, os.strerror(trouble))), UsageError)


def test_a_project_s_folder_that_is_gone_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(PlaceError), project_lock(tmp_path / "gone"):
        pass
    root = tmp_path / "project"
    root.mkdir()
    with project_lock(root) as lock:
        root.rename(tmp_path / "away")
        assert lock.lost
        with pytest.raises(PlaceError, match="gone"):
            lock.renew()


def test_where_a_file_stands_in_the_way_somebody_has_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / ".kahnd").touch()
    with pytest.raises(UsageError, match="can't be kept here"), project_lock(tmp_path):
        pass


@pytest.mark.parametrize(
    "kind", ["link", "hard link", "pipe", "folder", "a link to the state folder", "another user's"]
)
def test_a_lock_that_is_no_file_of_the_user_s_is_refused(tmp_path: Path, kind: str) -> None:
    precious, lock = tmp_path / "elsewhere/lock", tmp_path / ".kahnd/lock"
    precious.parent.mkdir()
    precious.write_text("precious")
    if kind == "a link to the state folder":
        lock.parent.symlink_to(precious.parent)
    else:
        lock.parent.mkdir()
        if kind == "link":
            lock.symlink_to(precious)
        elif kind == "hard link":
            lock.hardlink_to(precious)
        elif kind == "pipe":
            os.mkfifo(lock)
        elif kind == "folder":
            lock.mkdir()
        else:
            lock.touch()
    if kind == "another user's":
        if os.geteuid():
            pytest.skip("only root can give files away")
        os.chown(lock, 12345, 12345)
    with pytest.raises(UsageError, match="can't be kept here") as refused, project_lock(tmp_path, patience_s=0):
        pass
    assert refused.value.problems[0].remedy
    assert precious.read_text() == "precious"


def test_root_may_use_the_state_folder_of_the_project_s_owner(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give files away")
    with project_lock(tmp_path):
        pass
    for each in (tmp_path, tmp_path / ".kahnd", tmp_path / ".kahnd/lock"):
        os.chown(each, 12345, 12345)
    with project_lock(tmp_path):
        pass
