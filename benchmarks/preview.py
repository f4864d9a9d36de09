"""Measures how soon a save is seen: kahnd's preview beside Hugo's server and Vite, the same page in the same browser.

    python benchmarks/preview.py [--documents N] [--edits N] [--vite FOLDER] [--write]

A page of a project of N documents (10,000) is open in Chromium and is saved again and again. An edit counts from the
moment the save has returned to the end of the browser's first frame that shows it. kahnd and Hugo render the page from
Markdown in their projects; Vite, which renders nothing, is given the page as HTML, in a project of one page. `--vite`
is a folder into which npm has installed it.

Then 30 tabs show the page, and the time is told in which a further one has its HTML; and builds of all pages are
measured with 200 tabs that have connections of their own, one of which reads nothing, and without. `--write` puts the
figures into docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from playwright.sync_api import Browser, sync_playwright

from suite import machine, report
from suite.corpora import pages
from suite.corpora.corpus import Corpus, replace
from suite.file_changes import until
from suite.tools.hugo import Hugo, free_port
from suite.tools.kahnd import PROGRAM, Kahnd
from suite.tools.tool import background

PAGE: Final = Path(__file__).parents[1] / "docs" / "performance.md"
BEGIN: Final = "<!-- Written by `make bench-preview`, from here -->"
HEAD: Final = ("page", "documents:", "median:", "95th percentile:", "least to greatest:")
WARM_UP: Final = 3
PAUSE_S: Final = 1.5
"""Between two saves: Hugo's and Vite's pages miss a save that comes before they are connected again."""
LIMIT_S: Final = 20.0
"""What is not seen by then is never seen."""
TABS: Final = 200
SEEN: Final = """
addEventListener("DOMContentLoaded", () => {
  let told = "";
  const look = () => {
    const mark = [...document.body.textContent.matchAll(/mark-(\\d+)-/g)].at(-1)?.[1] ?? "";
    if (mark !== told) {
      told = mark;
      const frame = new MessageChannel();  // its message comes when the frame has been drawn
      frame.port1.onmessage = () => seen(mark, performance.timeOrigin + performance.now());
      frame.port2.postMessage(null);
    }
    requestAnimationFrame(look);
  };
  look();
});
"""
"""Tells in which frame a mark was seen for the first time, and when; pages that are loaded anew do it too."""


@dataclass(frozen=True)
class Shown:
    """A page that a server shows: its address, and how it is saved with a mark in its text."""

    url: str
    save: Callable[[str], None]


@contextmanager
def kahnd(corpus: Corpus, document: str) -> Iterator[Shown]:
    with Kahnd().watch(corpus):
        yield Shown(f"{served_at(corpus.root)}{corpus.place(document)}", marking(corpus.root / document))


@contextmanager
def hugo(corpus: Corpus, document: str) -> Iterator[Shown]:
    port, output = free_port(), corpus.root.with_name("hugo.output")
    with background(corpus.root, ["hugo", "server", "--port", str(port)], output):
        until(lambda: "Press Ctrl+C" in output.read_text(), "Hugo serves", pause_s=0.05)
        url = f"http://localhost:{port}/{corpus.place(document).removesuffix('index.html')}"
        yield Shown(url, marking(corpus.root / document))


@contextmanager
def vite(folder: Path, root: Path, html: str) -> Iterator[Shown]:
    root.mkdir()
    page = root / "index.html"
    page.write_text(html)
    port, output = free_port(), root.with_name("vite.output")
    program = folder / "node_modules" / ".bin" / "vite"
    with background(root, [str(program), "--port", str(port), "--strictPort"], output):
        until(lambda: "Local:" in re.sub(r"\x1b\[[0-9;]*m", "", output.read_text()), "Vite serves", pause_s=0.05)

        def save(mark: str) -> None:
            replace(page, html.replace("</main>", f"<p>{mark}</p></main>"))

        yield Shown(f"http://localhost:{port}/", save)


def marking(file: Path) -> Callable[[str], None]:
    """Returns what saves a document with a mark at its end."""
    text = file.read_text()

    def save(mark: str) -> None:
        replace(file, f"{text}\n{mark}\n")

    return save


def served_at(root: Path) -> str:
    told = subprocess.run([PROGRAM, "status", "--json"], cwd=root, capture_output=True, text=True, check=True).stdout
    return str(json.loads(told)["serve"]["url"])


def latencies(browser: Browser, shown: Shown, edits: int) -> list[float]:
    """Saves the page so often, and returns after how many milliseconds each save was seen that was seen at all."""
    times: dict[str, float] = {}

    def note(mark: str, at_ms: float) -> None:
        times.setdefault(mark, at_ms / 1_000)

    context = browser.new_context()
    context.expose_function("seen", note)
    context.add_init_script(SEEN)
    page = context.new_page()
    page.goto(shown.url)
    page.wait_for_timeout(2_000)
    found = []
    for number in range(1, edits + WARM_UP + 1):
        shown.save(f"mark-{number}-")
        saved = time.time()
        while str(number) not in times and time.time() < saved + LIMIT_S:
            page.wait_for_timeout(5)
        if number > WARM_UP and str(number) in times:
            found.append((times[str(number)] - saved) * 1_000)
        elif str(number) not in times:
            page.reload()
        page.wait_for_timeout(PAUSE_S * 1_000)
    context.close()
    return found


def further_tab_ms(browser: Browser, url: str) -> list[float]:
    """After how many milliseconds a tab has its HTML, when 30 others are open."""
    context = browser.new_context()
    for _ in range(30):
        context.new_page().goto(url)
    found = []
    for _ in range(10):
        page = context.new_page()
        page.goto(url)
        found.append(page.evaluate("performance.getEntriesByType('navigation')[0].responseEnd"))
        page.close()
    context.close()
    return found


class Tabs:
    """Tabs with a connection each to a daemon; nobody reads what the first one is sent."""

    def __init__(self, url: str, paths: Sequence[str]) -> None:
        self._url, self._paths = url, paths
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._listen()))

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    async def _listen(self) -> None:
        page = urllib.request.urlopen(self._url + self._paths[0]).read().decode()  # noqa: ASYNC210, S310
        token = page.partition('data-kahnd-token="')[2].partition('"')[0]
        origin, connector = {"Origin": self._url.rstrip("/")}, aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=origin, connector=connector) as session:
            tasks = []
            for number, path in enumerate(self._paths):
                socket = await session.ws_connect(f"{self._url}_kahnd/live?token={token}")
                await socket.send_json({"type": "show", "tab": "tab", "path": path, "hash": "old"})
                if number:
                    tasks.append(asyncio.create_task(_read(socket)))
            self._ready.set()
            await self._end.wait()
            for each in tasks:
                each.cancel()


async def _read(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


def build_ms(corpus: Corpus, rounds: int) -> tuple[list[float], list[float]]:
    """How long builds of all pages take, without and with 200 tabs, in turn."""
    alone: list[float] = []
    beside: list[float] = []
    with Kahnd().watch(corpus) as daemon:
        url, paths = served_at(corpus.root), [corpus.place(each) for each in corpus.rendered[:TABS]]
        layout = corpus.root / "templates" / "page.html"
        text = layout.read_text()

        def build(name: str) -> float:
            ended = len(daemon.log.of("build.finished"))
            layout.write_text(f"{text}<!-- {name} -->")
            until(lambda: len(daemon.log.of("build.finished")) > ended, "the build has ended", pause_s=0.05)
            return float(daemon.log.of("build.finished")[-1]["duration_ms"])

        build("first")
        for number in range(rounds):
            alone.append(build(f"alone {number}"))
            with Tabs(url, paths):
                beside.append(build(f"beside {number}"))
    return alone, beside


def row(name: str, documents: int, found: Sequence[float], tried: int = 0) -> tuple[str, ...]:
    ordered = sorted(found)
    p95 = ordered[min(len(ordered) - 1, round(len(ordered) * 0.95))]
    spread = f"{ordered[0]:,.0f}-{ordered[-1]:,.0f} of {len(found)}"
    if tried > len(found):
        spread += f"; {tried - len(found)} never seen"
    return name, f"{documents:,}", f"{statistics.median(found):,.1f} ms", f"{p95:,.1f} ms", spread


def measured(browser: Browser, arguments: Any, place: Path) -> Iterator[tuple[str, ...]]:
    """Measures, and yields the rows of the table."""
    documents, edits = arguments.documents, arguments.edits
    corpus = pages.for_kahnd(place / "kahnd", "layers", pages.layers(documents))
    document = corpus.affecting(1)[0]
    with kahnd(corpus, document) as shown:
        yield row("kahnd: save to changed pixels", documents, latencies(browser, shown, edits), edits)
        yield row("kahnd: the HTML of tab 31", documents, further_tab_ms(browser, shown.url))
    html = re.sub(r"mark-\d+-", "", (corpus.root / "site" / corpus.place(document)).read_text())
    if not Hugo().absent():
        site = pages.for_hugo(place / "hugo", "layers", pages.layers(documents))
        with hugo(site, document) as shown:
            yield row("Hugo's server: the same", documents, latencies(browser, shown, edits), edits)
    if arguments.vite:
        with vite(arguments.vite.resolve(), place / "vite", html) as shown:
            yield row("Vite: the same page as HTML", 1, latencies(browser, shown, edits), edits)
    small = pages.for_kahnd(place / "small", "layers", pages.layers(min(documents, 1_000)))
    alone, beside = build_ms(small, 5)
    yield row("kahnd: a build of all pages, no tab open", len(small.rendered), alone)
    yield row(f"kahnd: the same, {TABS} tabs, one stuck", len(small.rendered), beside)


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--vite", type=Path, help="where npm has installed it")
    parser.add_argument("--write", action="store_true", help="docs/performance.md")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("no chromium is installed")
    with tempfile.TemporaryDirectory(prefix="kahnd-preview-") as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        rows = []
        for each in measured(browser, arguments, Path(place)):
            print(" | ".join(each), flush=True)
            rows.append(each)
        browser.close()
    if arguments.write:
        text = f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine.machine()}.\n\n{report.table(HEAD, rows)}"
        PAGE.write_text(report.inserted(PAGE.read_text(), text, BEGIN))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
