"""The theme in a real browser: what axe finds, light and dark, narrow and on paper, by keyboard; and the search finds.

Pages are opened from the disk, as a reader without a server does, and no page may ask for anything beyond it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from e2e.harness import Project

CHROMIUM = shutil.which("chromium")
AXE = files("axe_playwright_python") / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SOON_MS = 60_000
"""Far longer than anything here takes."""
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 375, "height": 700}

expect.set_options(timeout=SOON_MS)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The output folder of each starter."""
    start = Project(tmp_path_factory.mktemp("sites"))
    for kind in ("site", "book", "report"):
        start.kahnd("init", f"--{kind}", kind)
        Project(start.path(kind)).build()
    return {kind: start.path(kind) / "site" for kind in ("site", "book", "report")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, sites: dict[str, Path]) -> Iterator[Any]:
    """Opens a page of a site; at the end, none may have asked for anything elsewhere, or have had an error."""
    asked: list[str] = []
    errors: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(("file:", "data:", "about:")):
            asked.append(request.url)

    def opened(kind: str, name: str, *, scheme: Any = "light", size: Any = WIDE) -> Page:
        page = browser.new_page(color_scheme=scheme, viewport=size)
        page.set_default_timeout(SOON_MS)
        page.on("request", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto((sites[kind] / name).as_uri())
        return page

    yield opened
    for context in browser.contexts:
        context.close()
    assert (asked, errors) == ([], [])


def _faults(page: Page) -> list[str]:
    """The findings of axe: rule, and place."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run({preload: false, runOnly: {type: 'tag', values: rules}})", RULES)
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]


def _lightness(page: Page) -> float:
    """That of the page's background, from 0 to 255."""
    script = "getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).slice(0, 3).map(Number)"
    red, green, blue = page.evaluate(script)
    return float(red + green + blue) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("site", "index.html"),
        ("site", "guide/writing.html"),
        ("site", "posts/first.html"),
        ("site", "tags.html"),
        ("site", "tags/news.html"),
        ("book", "beginning.html"),
        ("book", "print.html"),
        ("report", "index.html"),
    ],
)
def test_axe_finds_nothing(opened: Any, kind: str, name: str, scheme: str) -> None:
    assert _faults(opened(kind, name, scheme=scheme)) == []


@pytest.mark.parametrize("name", ["index.html", "guide/writing.html", "posts/second.html", "tags/news.html"])
def test_axe_finds_nothing_on_a_narrow_screen_and_nothing_is_cut_off(opened: Any, name: str) -> None:
    page = opened("site", name, size=NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.click(".menu")
    expect(page.locator(".navigation")).to_be_visible()
    page.wait_for_function("!document.querySelector('.navigation').getAnimations().length")
    assert _faults(page) == []


def test_axe_finds_nothing_in_the_search(opened: Any) -> None:
    page = opened("site", "index.html")
    page.keyboard.press("/")
    page.keyboard.type("colours")
    page.wait_for_selector(".found a")
    assert _faults(page) == []


def test_the_search_finds_what_pages_say_by_keyboard_alone(opened: Any) -> None:
    page = opened("site", "posts/first.html")
    page.keyboard.press("/")
    page.keyboard.type("accent light-dark")
    expect(page.locator(".found a")).to_have_count(1)
    expect(page.locator(".found mark").first).to_have_text("accent")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/guide/look.html#colours-and-letters")
    expect(page.locator("h1")).to_have_text("Your own look")


def test_enter_opens_the_best_page_and_escape_closes_the_search(opened: Any) -> None:
    page = opened("site", "index.html")
    page.keyboard.press("/")
    expect(page.locator("dialog.search input")).to_be_focused()
    page.keyboard.type("zzzz")
    expect(page.locator(".told")).to_have_text("Nothing found")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.search")).not_to_be_visible()
    page.click(".find")
    page.keyboard.type("SECOND pöst")
    page.wait_for_selector(".found a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/posts/second.html*")


def test_the_switch_goes_against_the_system_and_stays_for_the_next_page(opened: Any) -> None:
    page = opened("site", "index.html", scheme="dark")
    assert _lightness(page) < 60
    page.click(".appearance")
    assert _lightness(page) > 200
    page.reload()
    assert _lightness(page) > 200
    page.click(".appearance")  # the system's choice again, which it follows from now on
    page.emulate_media(color_scheme="light")
    assert _lightness(page) > 200


def test_the_keyboard_leads_past_the_navigation_and_opens_sections(opened: Any) -> None:
    page = opened("site", "index.html")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    section = page.locator(".navigation details").first
    assert section.get_attribute("open") is None
    section.locator("summary").press("Enter")
    expect(page.locator('.navigation a[href="guide/look.html"]')).to_be_visible()


def test_tags_lead_to_their_pages_and_back_by_keyboard(opened: Any) -> None:
    page = opened("site", "posts/second.html")
    tag = page.locator(".tags").get_by_role("link", name="how to")
    tag.press("Enter")
    page.wait_for_url("**/tags/how-to.html")
    expect(page.locator("h1")).to_have_text("how to")
    page.get_by_role("link", name="All tags").press("Enter")
    page.wait_for_url("**/tags.html")
    page.locator("article").get_by_role("link", name="news").press("Enter")
    page.wait_for_url("**/tags/news.html")
    expect(page.locator("article li")).to_have_text(
        ["The second post, 15 January 2026", "The first post, 8 January 2026"]
    )


def test_headings_have_links_to_themselves_that_show_on_focus(opened: Any) -> None:
    page = opened("site", "guide/writing.html")
    link = page.locator("#code > .permalink")
    assert link.evaluate("each => getComputedStyle(each).opacity") == "0"
    link.focus()
    page.keyboard.press("Shift")  # so that the focus is one by keyboard
    assert link.evaluate("each => getComputedStyle(each).opacity") == "1"
    page.keyboard.press("Enter")
    page.wait_for_url("**#code")


def test_on_paper_there_is_the_text_alone_in_black_on_white(opened: Any) -> None:
    page = opened("site", "guide/writing.html", scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert _lightness(page) > 240
    for each in (".top", ".navigation", ".contents", ".beside"):
        expect(page.locator(each)).not_to_be_visible()
    expect(page.locator("article")).to_be_visible()
    assert page.pdf()[:5] == b"%PDF-"


def test_pages_can_be_read_without_scripts(browser: Browser, sites: dict[str, Path]) -> None:
    context = browser.new_context(java_script_enabled=False, viewport=NARROW)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto((sites["site"] / "guide/writing.html").as_uri())
    for each in ("article", ".navigation", ".beside"):
        expect(page.locator(each)).to_be_visible()
    for each in (".menu", ".find", ".appearance"):
        expect(page.locator(each)).not_to_be_visible()
    context.close()


def test_the_print_page_of_a_book_leads_to_its_own_chapters(opened: Any) -> None:
    page = opened("book", "print.html")
    page.click('.chapter a[href="#c1-a-section"]')
    assert page.evaluate("document.querySelector(':target').textContent").startswith("A section")
