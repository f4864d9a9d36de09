"""Every folder and module that docs/architecture.md names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import kahnd

PACKAGE: Final = Path(kahnd.__file__).parent
PAGE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"
ROOMS: Final = frozenset(each.name for each in PACKAGE.iterdir() if each.is_dir() and each.name != "__pycache__")


def named() -> set[str]:
    """The paths below daemon/kahnd that the page gives in code."""
    spans = re.findall(r"`([a-z_]+(?:/[a-z_.]*)+)`|\b((?:api|app|cli|core)/[a-z_/]+)", PAGE.read_text())
    return {path for pair in spans for path in pair if path and path.partition("/")[0] in ROOMS}


def exists(path: str) -> bool:
    return any((PACKAGE / f"{path.rstrip('/')}{ending}").exists() for ending in ("", ".py"))


def test_every_path_on_the_page_exists() -> None:
    assert len(named()) > 20
    assert [path for path in sorted(named()) if not exists(path)] == []


def test_every_folder_of_the_package_is_on_the_page() -> None:
    text = PAGE.read_text()
    assert [room for room in sorted(ROOMS) if f"`{room}/`" not in text] == []
