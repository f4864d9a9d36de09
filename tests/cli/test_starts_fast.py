"""What a command that asks the daemon imports: next to nothing, so that it has answered before anybody notices."""

from __future__ import annotations

import subprocess
import sys

import pytest

SLOW = {
    *("aiohttp", "anyio", "asyncio", "concurrent.futures", "difflib", "hashlib", "jinja2", "msgspec", "pathspec"),
    *("rich", "structlog", "surrealdb", "tempfile", "tomllib", "watchfiles", "wcmatch", "yaml"),
    *("kahnd.core.model", "kahnd.engine", "kahnd.config.loader", "kahnd.service.oneshot", "kahnd.service.present"),
}
LOADED = "import sys, kahnd.cli.main, kahnd.cli.commands.{}; print(*sys.modules)"


@pytest.mark.parametrize("command", ["status", "why", "wait"])
def test_nothing_slow_is_imported_to_ask_a_daemon(command: str) -> None:
    words = [sys.executable, "-c", LOADED.format(command)]
    loaded = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert "kahnd.service.client" in loaded
    assert SLOW.intersection(loaded) == set()
