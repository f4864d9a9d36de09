"""A process that its parent has stopped, and can't continue or kill any more, goes on by itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

CHILD: Final = """
import sys
from kahnd.platform import processes
processes.resume_when_orphaned()
print("ready", flush=True)
sys.stdin.read()
"""
PARENT: Final = """
import os, signal, subprocess, sys
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], **pipes)
child.stdout.readline()
os.kill(child.pid, signal.SIGSTOP)
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
DEADLINE_S: Final = 60


def test_a_process_that_was_stopped_before_its_parent_was_killed_reads_the_end_of_its_pipe() -> None:
    told = subprocess.run([sys.executable, "-c", PARENT, CHILD], capture_output=True, text=True, check=False)
    status, deadline = Path(f"/proc/{int(told.stdout)}/status"), time.monotonic() + DEADLINE_S
    while status.exists() and "\nState:\tZ" not in status.read_text():
        assert time.monotonic() < deadline, status.read_text()
        time.sleep(0.01)
