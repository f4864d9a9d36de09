"""The imports of a command that asks the daemon: no slow module is among them."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = {
    *("aiohttp", "anyio", "asyncio", "concurrent.futures", "difflib", "hashlib", "jinja2", "msgspec", "pathspec"),
    *("rich", "structlog", "surrealdb", "tempfile", "tomllib", "watchfiles", "wcmatch", "yaml"),
    *("kahnd.core.model", "kahnd.engine", "kahnd.config.loader", "kahnd.app.one_shot", "kahnd.api.schemas"),
}
LOADED = "import sys, kahnd.cli.main, kahnd.cli.commands.{}; print(*sys.modules)"


@pytest.mark.parametrize("module", ["documents"])
def test_nothing_slow_is_imported_to_ask_a_daemon(module: str) -> None:
    words = [sys.executable, "-c", LOADED.format(module)]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert "kahnd.api.client" in loaded
    assert SLOW.intersection(loaded) == set()
