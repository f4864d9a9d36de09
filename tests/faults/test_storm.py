"""The short form of storm.py: `make reliability` runs 20 storms of 100,000 operations."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.harness import Project
from faults.storm import Size, storm_over


@pytest.mark.slow
def test_outputs_after_a_storm_equal_a_fresh_build(tmp_path: Path) -> None:
    *_, tally = storm_over(Project(tmp_path / "project"), Size(6_000, 300, 40), runs=2, seed=1)
    assert tally.lost == 0
    assert tally.overflows >= tally.runs
