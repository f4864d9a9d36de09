"""A small project to watch, with each backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from kahnd.watch.watch_set import Events
from watch.harness import write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write(root, {"kahnd.toml": "", "docs/a.md": "a", "docs/sub/b.md": "b", "elsewhere/c.md": "c"})
    return root


@pytest.fixture(params=["inotify", "watchfiles"])
def events(request: pytest.FixtureRequest) -> Events:
    """Runs a test with both backends."""
    source: Events = request.param
    return source
