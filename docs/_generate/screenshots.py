"""Photographs the starters with the theme, for the documentation: `make screenshots`.

Needs Chromium, as the tests of the theme do.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.sync_api import Page, sync_playwright

FOLDER: Final = Path(__file__).parents[1] / "images"
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


def main() -> None:
    """Make all pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for kind in KINDS:
            for words in (("init", f"--{kind}", kind), ("-C", kind, "build")):
                command = [sys.executable, "-m", "kahnd", *words]
                subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - kahnd itself
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for shot in SHOTS:
            width, height = shot.size
            page = browser.new_page(color_scheme=shot.scheme, viewport={"width": width, "height": height})
            page.goto((Path(folder) / shot.kind / "site" / shot.page).as_uri())
            _type(page, shot.search)
            page.screenshot(path=FOLDER / f"{shot.name}.png")
        browser.close()


def _type(page: Page, text: str) -> None:
    if text:
        page.keyboard.press("/")
        page.keyboard.type(text)
        page.wait_for_selector(".found a")


if __name__ == "__main__":
    main()
