from __future__ import annotations

from pathlib import Path

import pytest

from kahnd.watch.watch_set import is_remote, mount_table

TABLE = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /home rw,relatime shared:2 - nfs4 server:/home rw,vers=4.2
31 30 0:27 / /home/local rw,relatime shared:3 master:1 - xfs /dev/vdb rw
32 22 0:28 / /mnt/my\040share rw - cifs //server/share rw
33 22 0:29 / /workspace rw - fuse.grpcfuse grpcfuse rw
34 22 0:30 / /both rw - ext4 /dev/vdc rw
35 34 0:31 / /both rw - 9p host rw
36 22 0:32 / /usb rw - fuseblk /dev/sdb1 rw
""".strip()


@pytest.mark.parametrize(
    ("path", "elsewhere"),
    [
        ("/", False),
        ("/srv/docs", False),
        ("/home", True),
        ("/home/me/docs", True),
        ("/homes", False),
        ("/home/local/docs", False),
        ("/mnt/my share/docs", True),
        ("/workspace", True),
        ("/both/docs", True),
        ("/usb/docs", False),
    ],
)
def test_network_and_host_file_systems_are_remote(path: str, elsewhere: bool) -> None:  # noqa: FBT001
    assert is_remote(path, TABLE) is elsewhere


def test_a_local_file_system_is_not_remote(tmp_path: Path) -> None:
    assert mount_table()
    assert not is_remote(str(tmp_path), mount_table())


def test_without_a_mount_table_nothing_is_remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kahnd.watch.watch_set._MOUNTS", tmp_path / "no-such-system")
    assert mount_table() == ""
    assert not is_remote("/home", "")
