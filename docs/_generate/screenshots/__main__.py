"""`make screenshots`: takes all pictures."""

from __future__ import annotations

from screenshots import live, starters
from screenshots.browser import IMAGES, chromium

if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    with chromium() as browser:
        starters.photograph(browser)
        live.photograph(browser)
