"""What this process takes of its machine."""

from __future__ import annotations

import os
import resource
import sys
import threading
from contextlib import suppress
from pathlib import Path


def usage() -> dict[str, float | None]:
    """Megabytes of memory that are resident (where that can't be told, the most there ever were), files, threads."""
    return {"memory_mb": round(_resident() / (1 << 20), 1), "open_files": _files(), "threads": threading.active_count()}


def _resident() -> int:
    with suppress(OSError, ValueError, IndexError):  # Linux alone has this
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _files() -> int | None:
    """All but the one that looking takes; None where there is none left for that."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # noqa: PTH208
    except OSError:
        return None
