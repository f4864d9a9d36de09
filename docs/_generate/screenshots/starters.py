"""Pictures of the starters that have the theme."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.sync_api import Browser, Page

from screenshots.browser import IMAGES

KINDS: Final = ("site", "book", "report")


class Shot(NamedTuple):
    """A picture: its name, the page, the window's size, and what is typed into the search."""

    name: str
    kind: str
    page: str
    scheme: Any = "light"
    size: tuple[int, int] = (1280, 800)
    search: str = ""


SHOTS: Final = (
    Shot("site-light", "site", "guide/writing.html"),
    Shot("site-dark", "site", "guide/writing.html", scheme="dark"),
    Shot("site-narrow", "site", "index.html", size=(390, 760)),
    Shot("site-search", "site", "index.html", search="theme"),
    Shot("book", "book", "beginning.html"),
    Shot("report", "report", "index.html", size=(900, 1150)),
)


def photograph(browser: Browser) -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            for words in (("init", f"--{kind}", kind), ("-C", kind, "build")):
                command = [sys.executable, "-m", "kahnd", *words]
                subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - kahnd itself
        for shot in SHOTS:
            width, height = shot.size
            page = browser.new_page(color_scheme=shot.scheme, viewport={"width": width, "height": height})
            page.goto((Path(folder) / shot.kind / "site" / shot.page).as_uri())
            _type(page, shot.search)
            page.screenshot(path=IMAGES / f"{shot.name}.png")


def _type(page: Page, text: str) -> None:
    if text:
        page.keyboard.press("/")
        page.keyboard.type(text)
        page.wait_for_selector(".found a")
