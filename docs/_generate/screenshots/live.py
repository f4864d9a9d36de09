"""Pictures of a running daemon on a copy of examples/handbook: the preview beside the edited files, the dashboard."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, ViewportSize, expect

from screenshots.browser import IMAGES, REPOSITORY
from screenshots.editor import Pane, beside

HANDBOOK: Final = REPOSITORY / "examples" / "handbook"
KAHND: Final = (sys.executable, "-m", "kahnd")
NO_DAEMON: Final = 4
DEADLINE_S: Final = 60
DEADLINE_MS: Final = DEADLINE_S * 1_000
WIDTH: Final = 1280
PAGE: Final[ViewportSize] = {"width": 590, "height": 690}

SHEET, REPORT = "data/orders.csv", "docs/reports/orders.md"
EDIT: Final = ("2026-10,8,41,14", "2026-10,12,64,26")
MISTAKES: Final = {
    "data/rates.yaml": ("kilometre: 0.38", "km: 0.38"),
    "docs/charts/orders.bars": ('data = "/data/orders.csv"', 'data = "/data/order.csv"'),
}


@dataclass(frozen=True)
class Project:
    """A project that a daemon keeps up to date and serves."""

    root: Path

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of kahnd in it."""
        command = [*KAHND, *words]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)  # noqa: S603 - kahnd itself

    def url(self) -> str:
        """The preview's address. Waits for the daemon, and until all is rendered."""
        deadline = time.monotonic() + DEADLINE_S
        while self.ask("wait").returncode == NO_DAEMON:
            if time.monotonic() > deadline:
                raise TimeoutError("the daemon does not start")
        return str(json.loads(self.ask("status", "--json").stdout)["serve"]["url"])

    def replace(self, name: str, change: tuple[str, str]) -> int:
        """Saves a file with a line changed; returns the number of the line."""
        before, after = change
        lines = self.read(name).splitlines()
        changed = lines.index(before)
        lines[changed] = after
        (self.root / name).write_text("\n".join(lines) + "\n")
        return changed + 1

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self.root / name).read_text()


@contextmanager
def running() -> Iterator[Project]:
    """The handbook, with a daemon that serves it at a free port."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder) / HANDBOOK.name)
        shutil.copytree(HANDBOOK, project.root, ignore=shutil.ignore_patterns("site", ".kahnd"))
        env = environ | {"KAHND_SERVE__ENABLED": "true", "KAHND_SERVE__PORT": "0"}
        daemon = subprocess.Popen(  # noqa: S603 - kahnd itself
            [*KAHND, "run"], cwd=project.root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield project
        finally:
            daemon.terminate()
            daemon.wait(DEADLINE_S)


def photograph(browser: Browser) -> None:
    """Make the pictures."""
    with running() as project:
        url = project.url()
        _preview(browser, project, url)
        _dashboard(browser, project, url)


def _preview(browser: Browser, project: Project, url: str) -> None:
    """A report, updated in the open page after its data sheet was saved, beside the page's source and the sheet."""
    page = browser.new_page(viewport=PAGE, color_scheme="light")
    page.set_default_timeout(DEADLINE_MS)
    page.goto(f"{url}reports/orders.html")
    # The client is at work once it has read again what was served. A reload would forget the first chart.
    page.wait_for_function("performance.getEntriesByName(document.URL).some(each => each.initiatorType === 'fetch')")
    page.evaluate("window.firstChart = document.images[0].src")
    edited = project.replace(SHEET, EDIT)
    row = page.get_by_role("row", name=EDIT[1].replace(",", " "), exact=True)
    expect(row).to_be_visible(timeout=DEADLINE_MS)
    page.wait_for_function("firstChart !== document.images[0].src && document.images[0].complete")
    shot = page.screenshot()
    page.set_viewport_size({"width": WIDTH, "height": 720})
    panes = (Pane(REPORT, project.read(REPORT)), Pane(SHEET, project.read(SHEET), edited))
    page.set_content(beside(panes, "/reports/orders.html", shot, PAGE["width"]))
    page.screenshot(path=IMAGES / "preview.png")
    page.close()


def _dashboard(browser: Browser, project: Project, url: str) -> None:
    """The overview after two mistakes: a key was renamed in one file, and a path mistyped in another."""
    for name, mistake in MISTAKES.items():
        project.replace(name, mistake)
    page = browser.new_page(viewport={"width": WIDTH, "height": 800}, color_scheme="light")
    page.goto(f"{url}_kahnd/")
    for heading in ("Failed (1)", "Blocked (2)"):
        expect(page.get_by_role("heading", name=heading)).to_be_visible(timeout=DEADLINE_MS)
    page.screenshot(path=IMAGES / "dashboard.png")
    page.close()
