"""Shared by all tests: what is slow, the Hypothesis profiles, and the environment of the commands under test.

In CI, Hypothesis draws the same examples every time; elsewhere it draws new ones.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings

SLOW_FOLDERS = frozenset({"e2e", "faults"})
"""Here every test drives a daemon: `make test` runs those marked `smoke`, and no others."""

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Python keeps compiled modules, as it does for users: without them, each `kahnd` and each worker compiles kahnd anew,
# which more than doubles the time of a short command.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def _ignore(number: int, frame: FrameType | None) -> None:
    """Does nothing. Unlike SIG_IGN, a handler is not inherited: a child process starts with the default action."""


# A background job and `nohup` ignore these signals, and every process below them would, too.
for _signal in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _ignore)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what `make test` leaves out, before pytest selects by mark."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in SLOW_FOLDERS and not item.get_closest_marker("smoke"):
            item.add_marker("slow")
