"""Commands under test obey signals even if the tests are run in the background, where SIGINT is ignored."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

STARTED = """
import signal, subprocess, sys
for each in (signal.SIGINT, signal.SIGHUP):
    signal.signal(each, signal.SIG_IGN)
import conftest
subprocess.run(["sh", "-c", "kill -$0 $$; echo still here", sys.argv[1]])
"""


@pytest.mark.parametrize("name", ["INT", "HUP"])
def test_a_command_started_below_an_ignored_signal_ends_by_it(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STARTED, name],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ended.stdout == ""


def test_the_tests_themselves_do_not_hand_on_an_ignored_signal() -> None:
    for each in (signal.SIGINT, signal.SIGHUP):
        assert signal.getsignal(each) is not signal.SIG_IGN
