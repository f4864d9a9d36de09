"""The benchmark suite, at tiny sizes: what it measures is not looked at, but that it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


@pytest.mark.slow
def test_every_scenario_measures_what_it_is_for() -> None:
    ended = subprocess.run([sys.executable, RUN, "--quick"], capture_output=True, text=True, timeout=290, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    _, _, table = ended.stdout.partition("| --- |")
    goals = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert len(goals) > 15
    assert [goal[0] for goal in goals if goal[2].startswith("absent")] == []
