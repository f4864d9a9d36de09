"""Live update over other ways than one browser on this machine: a proxy, and hundreds of tabs."""

from __future__ import annotations

import asyncio
import re
import threading
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import pytest

from e2e.harness import DEADLINE_S, Daemon, eventually, processor_seconds
from e2e.live_site import (
    CHROMIUM,
    LAYOUT,
    Site,
    chromium,
    context_of,
    page_source,
    ready,
    says,
    served,
    serving,
    updates,
)
from e2e.proxy import proxied


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_updates_come_through_a_proxy_with_https_and_a_base_path(tmp_path: Path) -> None:
    """The daemon is open to other machines, and nothing else is configured."""
    project = serving(tmp_path / "project", KAHND_SERVE__HOST="0.0.0.0")  # noqa: S104
    project.write(
        "docs/guide/shared.md", page_source("# Shared", "before", head='<link rel="stylesheet" href="a.css">')
    )
    project.write("docs/guide/a.css", "main { color: rgb(1, 1, 1) }")
    with served(project) as (site, _), ExitStack() as stack:
        parts = urlsplit(site.url)
        assert parts.port
        url = stack.enter_context(proxied(parts.port, tmp_path))
        browser = stack.enter_context(chromium("--ignore-certificate-errors"))
        context = context_of(browser, ignore_https_errors=True)
        page = context.new_page()
        page.goto(f"{url}guide/shared.html?{parts.query}")
        ready(page)
        assert page.url == f"{url}guide/shared.html"  # the token is in a cookie
        project.write(
            "docs/guide/shared.md", page_source("# Shared", "after", head='<link rel="stylesheet" href="a.css">')
        )
        says(page, "after")
        project.write("docs/guide/a.css", "main { color: rgb(2, 2, 2) }")
        page.wait_for_function("getComputedStyle(document.querySelector('main')).color === 'rgb(2, 2, 2)'")
        assert updates(page) == 1
        context.close()


PAGES = 300
TABS = 200


def test_two_hundred_tabs_of_which_one_is_stuck_hold_no_build_up(tmp_path: Path) -> None:
    """Measured by the time that the daemon works, since other processes make builds slower, too.

    What a build takes longer on a quiet machine is in docs/performance.md.
    """
    project = serving(tmp_path / "project")
    project.write_all({f"docs/{number}.md": page_source(f"# Page {number}") for number in range(PAGES)})
    with served(project) as (site, daemon):
        build_s(site, daemon, "warm")
        alone = [build_s(site, daemon, f"alone {number}") for number in range(3)]
        with Tabs(site) as tabs:
            before = memory_kb(daemon.pid)
            beside = [build_s(site, daemon, f"beside {number}") for number in range(3)]
            eventually(lambda: min(tabs.heard) >= 3, "each tab that reads has heard of each version of its page")
            assert memory_kb(daemon.pid) - before < 50_000
        assert min(beside) < 1.3 * min(alone)


class Tabs:
    """Tabs that have a connection each, with a page each; nobody reads what a further one is sent."""

    def __init__(self, site: Site) -> None:
        self.heard = [0] * (TABS - 1)
        self._site = site
        self._ready = threading.Semaphore(0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._end = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        for _ in range(TABS):
            assert self._ready.acquire(timeout=DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._listen(token_of(self._site)))
        self._loop.close()

    async def _listen(self, token: str) -> None:
        origin, connector = {"Origin": self._site.url.rstrip("/")}, aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=origin, connector=connector) as session:
            url = f"{self._site.url}_kahnd/live?token={token}"
            sockets = [await session.ws_connect(url) for _ in range(TABS)]
            tasks = [asyncio.create_task(self._read(number, each)) for number, each in enumerate(sockets[1:])]
            await self._show(sockets[0], "0.html")
            await self._end.wait()
            for task in tasks:
                task.cancel()

    async def _read(self, number: int, socket: aiohttp.ClientWebSocketResponse) -> None:
        await self._show(socket, f"{number}.html")
        async for message in socket:
            self.heard[number] += message.json()["type"] == "changed"

    async def _show(self, socket: aiohttp.ClientWebSocketResponse, path: str) -> None:
        await socket.send_json({"type": "show", "tab": "tab", "path": path, "hash": "old"})
        self._ready.release()


def build_s(site: Site, daemon: Daemon, text: str) -> float:
    """For how many seconds the daemon works while it renders all pages anew."""
    began = processor_seconds(daemon.pid)
    site.write("_page.html", LAYOUT + f"<!-- {text} -->")
    site.project.wait()
    return processor_seconds(daemon.pid) - began


def token_of(site: Site) -> str:
    page = urllib.request.urlopen(site.url + "0.html").read().decode()  # noqa: S310
    found = re.search(r'data-kahnd-token="([^"]+)"', page)
    assert found
    return found[1]


def memory_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("VmRSS"))
