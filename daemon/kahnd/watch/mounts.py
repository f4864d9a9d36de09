"""File systems whose changes the kernel doesn't tell of, since they are made elsewhere: such folders are polled."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_ELSEWHERE: Final = re.compile(
    r"nfs4?|cifs|smb3|smbfs|9p|virtiofs|afs|ceph|coda|lustre|gfs2|ocfs2|fuse(\..*)?|fakeowner|vboxsf|prl_fs|vmhgfs|drvfs"
)
"""Network file systems, and those by which a virtual machine or a container sees its host's files (see proc(5))."""
_MOUNTS: Final = Path("/proc/self/mountinfo")


def mounts() -> str:
    """The mounts as the kernel tells them now; nothing where it doesn't."""
    try:
        return _MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return ""


def comes_from_elsewhere(path: str, table: str) -> bool:
    """Whether changes to what stands at a path can be made without this machine's kernel; `table` as from `mounts`."""
    real = os.path.realpath(path)
    kinds = [(point, kind) for point, kind in map(_mount, table.splitlines()) if f"{real}/".startswith(f"{point}/")]
    kind = max(enumerate(kinds), key=lambda each: (len(each[1][0]), each[0]), default=(0, ("", "")))[1][1]
    return _ELSEWHERE.fullmatch(kind) is not None


def _mount(line: str) -> tuple[str, str]:
    """Where a file system is mounted (the root as nothing), and its kind."""
    words, _, kinds = line.partition(" - ")
    point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), words.split(" ")[4])
    return point.rstrip("/"), kinds.split(" ")[0]
