"""Replays the fixed failures of random projects; each file is named after its lesson."""

from __future__ import annotations

from pathlib import Path

import pytest

from agreement.replay import load, replay

FOUND = sorted((Path(__file__).with_name("found")).glob("*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.stem)
def test_fixed_failures_stay_fixed(file: Path, tmp_path: Path) -> None:
    replay(load(file), tmp_path / "project", lambda _: None)
