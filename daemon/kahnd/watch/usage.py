"""How much of inotify may be used, and is: as /proc tells it of this user's processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_LIMITS: Final = Path("/proc/sys/fs/inotify")
_PROCESSES: Final = Path("/proc")


class Usage(NamedTuple):
    """Of all processes of this user's that can be looked at."""

    instances: int
    watches: int


def inotify_limits() -> dict[str, int]:
    """`max_user_watches` and `max_user_instances`; nothing where there is no inotify."""
    try:
        return {name: int((_LIMITS / name).read_text()) for name in ("max_user_watches", "max_user_instances")}
    except (OSError, ValueError):
        return {}


def inotify_usage() -> Usage:
    """Instances, and watches in them."""
    watches = [_watches(descriptor) for process in _own_processes() for descriptor in _instances(process)]
    return Usage(len(watches), sum(watches))


def _own_processes() -> Iterator[Path]:
    for entry in os.scandir(_PROCESSES):
        if entry.name.isdigit():
            try:
                own = entry.stat().st_uid == os.getuid()
            except OSError:  # it is over
                continue
            if own:
                yield Path(entry.path)


def _instances(process: Path) -> Iterator[Path]:
    """The descriptors of a process that are inotify's, as files that tell of them."""
    try:
        descriptors = [each.name for each in os.scandir(process / "fd")]
    except OSError:
        return
    for each in descriptors:
        try:
            if os.readlink(process / "fd" / each) == "anon_inode:inotify":  # noqa: PTH115 (it is no path)
                yield process / "fdinfo" / each
        except OSError:
            continue


def _watches(descriptor: Path) -> int:
    try:
        return descriptor.read_text().count("inotify wd:")
    except OSError:
        return 0
