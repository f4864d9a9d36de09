from __future__ import annotations

from pathlib import Path

import pytest

from render.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.chdir(tmp_path)  # a command's renderer goes where its project is; this comes back
    return Workshop(tmp_path)
