"""What random projects have found, and was mended: each failure's shortest history, with its lesson for a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from agreement.replay import load, replay

FOUND = sorted((Path(__file__).with_name("found")).glob("*.json"))


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.stem)
def test_what_was_mended_stays_so(file: Path, tmp_path: Path) -> None:
    replay(load(file), tmp_path / "project", lambda _: None)
