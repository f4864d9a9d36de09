"""The short form of crash_loop.py: `make reliability` runs it with 200 kills."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.crash_loop import CrashLoop


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_random_kills_lose_nothing_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    tally = CrashLoop(tmp_path, seed).run(8)
    assert (tally.kills, tally.lost, tally.repeated) == (8, 0, 0)
    assert tally.rendered > 50
