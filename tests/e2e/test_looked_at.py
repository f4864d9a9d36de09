"""What a real browser has in view goes first, and is counted once it shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e.harness import eventually
from e2e.live_site import CHROMIUM, chromium, context_of, page_source, served, serving
from e2e.test_metrics import scrape

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
PAGES = 200


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_of_two_hundred_pages_the_one_in_view_is_rendered_first_and_its_update_timed(
    browser: Browser, tmp_path: Path
) -> None:
    project = serving(tmp_path / "project")
    for number in range(PAGES):
        project.write(f"docs/p{number:03}.md", page_source("# One"))
    with served(project) as (site, _):
        page = site.open(context_of(browser), "p190.html")
        eventually(lambda: scrape(project)["kahnd_browsers", ()] == 1, "the browser is counted")
        project.write("docs/_page.html", project.read("docs/_page.html").replace("<main>", "<main><p>Two</p>"))
        expect(page.get_by_text("Two")).to_be_visible()
        project.wait()
        spans = json.loads(project.kahnd("history", "--trace", "last", "--json").stdout)["spans"]
        begun = [each["document"] for each in sorted(spans, key=lambda each: each["started_ms"])]
        assert len(begun) == PAGES
        assert begun.index("docs/p190.md") < 4
        eventually(lambda: scrape(project)["kahnd_save_to_browser_seconds_count", ()] == 1, "the update is counted")
