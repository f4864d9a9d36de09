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

from kahnd.errors import AlreadyRunningError, DiskError, UsageError
from kahnd.platform.owned_files import state_file_error
from kahnd.platform.project_lock import project_lock
from kahnd.platform.unix_socket import socket_path

HOLDER = """
import sys
from pathlib import Path
from kahnd.platform.project_lock import project_lock

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


def test_a_second_holder_is_refused_with_the_first_holders_pid(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        with pytest.raises(AlreadyRunningError) as raised, project_lock(tmp_path, wait_s=0):
            pass
        assert str(holder.pid) in str(raised.value)
        assert raised.value.exit_code == 4


def test_a_short_holder_is_waited_for(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder._process.communicate()
        with project_lock(tmp_path):
            assert (tmp_path / ".kahnd/lock").read_text() == f"{os.getpid()}\n"


def test_a_listening_daemon_is_not_waited_for(tmp_path: Path) -> None:
    with Holder(tmp_path), socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind(str(socket_path(tmp_path)))
        daemon.listen()
        with pytest.raises(AlreadyRunningError), project_lock(tmp_path, wait_s=1000):
            pass


def test_a_new_lock_file_belongs_to_the_process_that_holds_the_projects_folder(tmp_path: Path) -> None:
    """A daemon whose state folder was removed has just created the file, and not locked it yet."""
    with project_lock(tmp_path) as daemon:
        (tmp_path / ".kahnd/lock").unlink()
        (tmp_path / ".kahnd/lock").touch(0o600)
        with pytest.raises(AlreadyRunningError), project_lock(tmp_path, wait_s=0):
            pass
        daemon.renew(wait_s=0)
        assert (tmp_path / ".kahnd/lock").read_text() == f"{os.getpid()}\n"


def test_a_crash_releases_the_lock(tmp_path: Path) -> None:
    with Holder(tmp_path) as holder:
        holder.kill()
        with project_lock(tmp_path, wait_s=0):
            pass


def test_the_lock_can_be_taken_again_and_its_file_stays(tmp_path: Path) -> None:
    for _ in range(2):
        with project_lock(tmp_path, wait_s=0):
            pass
        assert (tmp_path / ".kahnd/lock").exists()


def test_locks_of_two_projects_are_independent(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with project_lock(tmp_path / "one", wait_s=0), project_lock(tmp_path / "two", wait_s=0):
        pass


def test_the_state_folder_and_the_lock_are_private(tmp_path: Path) -> None:
    with project_lock(tmp_path):
        assert (tmp_path / ".kahnd").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / ".kahnd/lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT, errno.EMFILE, errno.EIO])
def test_a_temporary_error_has_an_exit_code_that_restarts_the_daemon(trouble: int) -> None:
    error = state_file_error("no", Path("/here"), "wait", OSError(trouble, os.strerror(trouble)))
    assert isinstance(error, DiskError)
    assert error.exit_code == 5
    assert os.strerror(trouble) in str(error)


@pytest.mark.parametrize("trouble", [errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR])
def test_a_permanent_error_has_another_exit_code(trouble: int) -> None:
    assert isinstance(
        state_file_error("no", Path("/here"), "mend it", OSError(trouble, os.strerror(trouble))), UsageError
    )


def test_a_missing_project_folder_is_a_temporary_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError), project_lock(tmp_path / "gone"):
        pass
    root = tmp_path / "project"
    root.mkdir()
    with project_lock(root) as lock:
        root.rename(tmp_path / "away")
        assert lock.lost
        with pytest.raises(DiskError, match="gone"):
            lock.renew()


def test_a_file_in_place_of_the_state_folder_is_a_permanent_error(tmp_path: Path) -> None:
    (tmp_path / ".kahnd").touch()
    with pytest.raises(UsageError, match="can't be kept here"), project_lock(tmp_path):
        pass


@pytest.mark.parametrize(
    "kind", ["link", "hard link", "pipe", "folder", "a link to the state folder", "another user's"]
)
def test_a_lock_file_that_is_not_the_users_is_refused(tmp_path: Path, kind: str) -> None:
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
    with pytest.raises(UsageError, match="can't be kept here") as refused, project_lock(tmp_path, wait_s=0):
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
