from __future__ import annotations

from pathlib import Path

import pytest

from config.helpers import Loader, schemas
from kahnd.config.loader import Config, load


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """Loads a `kahnd.toml` of this text, with this environment."""

    def load_text(text: str | bytes, **environ: str) -> Config:
        (tmp_path / "kahnd.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(tmp_path, schemas(), environ)

    return load_text
