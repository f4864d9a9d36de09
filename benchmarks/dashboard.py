"""Measures the dashboard on a large project: first view, nodes drawn, memory in the browser, and what it costs a save.

    python benchmarks/dashboard.py [--documents 100000] [--rendered 20] [--saves 40]

Needs Chromium and Playwright. Prints a Markdown table, which docs/performance.md has under "The dashboard". Saves are
timed in turns with the dashboard closed and open on the graph, so that both meet the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from suite.file_changes import identity, until

KAHND: Final = Path(sys.executable).with_name("kahnd")
A_FOLDER: Final = 100
"""Documents in each folder."""
TURN: Final = 10
"""Saves in a row with the dashboard closed, and then with it open."""
BUILD_S: Final = 3_600.0
VIEW_MS: Final = 120_000
CONFIG: Final = """[project]
name = "large"
sources = ["docs"]

[[rules]]
match = "docs/area{AREAS}/**/*.txt"
renderer = "template"
output = "{dir}/{name}"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--rendered", type=int, default=20, help="so many twentieths of them have a rule")
    parser.add_argument("--saves", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kahnd-dashboard-") as folder:
        root = Path(folder)
        write(root, asked.documents, asked.rendered)
        with running(root) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            rows = [*views(browser, url), *saves(browser, url, root, asked.saves)]
            browser.close()
    print(f"| of {asked.documents:,} documents | measured | goal |\n|---|---:|---:|")
    for name, measured, goal in rows:
        print(f"| {name} | {measured} | {goal} |")


def write(root: Path, documents: int, rendered: int) -> None:
    """Writes a project: each document includes the first of its folder, and that includes one of ten parts."""
    areas = "{" + ",".join(f"{number:02}" for number in range(20)[:rendered]) + ",none}"
    (root / "kahnd.toml").write_text(CONFIG.replace("{AREAS}", areas))
    parts = root / "docs/_parts"
    parts.mkdir(parents=True)
    for number in range(10):
        (parts / f"{number}.txt").write_text(f"part {number}\n")
    for number in range(documents):
        group, place = divmod(number, A_FOLDER)
        path = root / f"docs/area{group % 20:02}/group{group:05}/{place:03}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        needed = "000.txt" if place else f"/docs/_parts/{group % 10}.txt"
        path.write_text(f"{{% include '{needed}' %}}\ndocument {number}\n")


@contextmanager
def running(root: Path) -> Iterator[str]:
    """Runs a daemon on a project, and yields where it serves once all is built."""
    env = os.environ | {"KAHND_SERVE__PORT": "0", "KAHND_LOG__LEVEL": "warning"}
    daemon = subprocess.Popen([KAHND, "run", "--plain"], cwd=root, env=env, stderr=subprocess.DEVNULL)
    try:
        until(lambda: status(root).get("state") == "idle", "the first build ends", limit_s=BUILD_S, pause_s=1)
        yield status(root)["serve"]["url"]
    finally:
        daemon.terminate()
        daemon.wait()


def status(root: Path) -> Any:
    answer = subprocess.run([KAHND, "status", "--json"], cwd=root, capture_output=True, check=False)
    return json.loads(answer.stdout or "{}")


def views(browser: Browser, url: str) -> Iterator[tuple[str, str, str]]:
    """Yields how long the first views take, what is drawn, and the memory of a page after all kinds of views."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    took = timed(page, f"{url}_kahnd/", "dl.counts")
    yield "first view of the overview", f"{took:.0f} ms", "1,000 ms"
    took = timed(page, f"{url}_kahnd/#/graph", ".canvas[data-nodes]")
    yield "first view of the graph, after the overview", f"{took:.0f} ms", "1,000 ms"
    page.close()
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    took = timed(page, f"{url}_kahnd/?#/graph", ".canvas[data-nodes]")
    yield "first view of the graph, in a new tab", f"{took:.0f} ms", "1,000 ms"
    drawn = [nodes(page)]
    hashes = [
        "#/graph?open=docs%2Farea00",
        "#/graph?limit=500&" + "&".join(f"open=docs%2Farea00%2Fgroup{group:05}" for group in range(0, 400, 20)),
        "#/graph?document=docs%2F_parts%2F0.txt&limit=500&up=3",
    ]
    for each in hashes:
        with page.expect_response(lambda answer: "/api/graph?" in answer.url, timeout=VIEW_MS):
            page.evaluate("hash => { location.hash = hash }", each)
        drawing(page)
        drawn.append(nodes(page))
    yield "nodes drawn, folders, then opened more and more", ", ".join(f"{each:,}" for each in drawn), "2,000"
    yield "memory of the page's scripts", f"{heap(page) / 1e6:.0f} MB", "150 MB"
    page.close()


def timed(page: Page, address: str, shown: str) -> float:
    """Opens an address and returns the milliseconds until something is shown."""
    began = time.monotonic()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(shown, timeout=VIEW_MS)
    drawing(page)
    return (time.monotonic() - began) * 1000


def drawing(page: Page) -> None:
    """Returns once what the page knows is drawn."""
    page.evaluate("new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done))))")


def nodes(page: Page) -> int:
    return int(page.locator(".canvas").get_attribute("data-nodes") or 0)


def heap(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"])


def saves(browser: Browser, url: str, root: Path, count: int) -> Iterator[tuple[str, str, str]]:
    """Yields the median time from a save to its output, with the dashboard closed and open."""
    closed: list[float] = []
    opened: list[float] = []
    for turn in range(count // TURN):
        closed += [saved(root, turn * TURN + each) for each in range(TURN)]
        page = browser.new_page()
        timed(page, f"{url}_kahnd/#/graph", ".canvas[data-nodes]")
        opened += [saved(root, turn * TURN + each) for each in range(TURN)]
        page.close()
    before, with_it = statistics.median(closed), statistics.median(opened)
    yield "save to output, the dashboard closed", f"{before:.1f} ms", ""
    yield "save to output, the dashboard open", f"{with_it:.1f} ms ({with_it / before - 1:+.0%})", "+10 %"


def saved(root: Path, number: int) -> float:
    """Saves a document and returns the milliseconds until its output is new."""
    path, output = root / "docs/area00/group00000/007.txt", root / "site/area00/group00000/007.txt"
    before, fresh = identity(output), path.with_name(".saving")
    fresh.write_text(f"saved {number} {time.monotonic_ns()}\n")
    began = time.monotonic()
    fresh.replace(path)
    until(lambda: identity(output) not in {None, before}, "the output is new")
    took = (time.monotonic() - began) * 1000
    time.sleep(0.3)
    return took


if __name__ == "__main__":
    main()
