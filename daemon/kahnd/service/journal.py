"""The system's journal, where a service's standard error goes: lines there bear their level."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, TextIO

VARIABLE: Final = "JOURNAL_STREAM"
_PRIORITIES: Final[Mapping[str, int]] = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""By syslog(3)."""

Line = Callable[[MutableMapping[str, Any]], str]


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether what is written there goes to the journal: the environment names its device and inode (systemd.exec(5)).

    The variable alone proves nothing, since who starts a program from a service redirects its output at will.
    """
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file, or a closed one
        return False
    return environ.get(VARIABLE) == f"{found.st_dev}:{found.st_ino}"


def levelled(line: Line) -> Line:
    """The lines with their levels in front, as the journal takes them off again: see sd-daemon(3)."""
    return lambda event: f"<{_PRIORITIES[event['level']]}>{line(event)}"
