"""The overlay in a real browser: on the pages that the failure belongs to, and there only."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from e2e.live_site import CHROMIUM, Site, chromium, context_of, faultless_context, page_source, says, served, serving

AXE = files("axe_playwright_python") / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One daemon for this module: each test has pages of its own, and leaves nothing broken."""
    project = serving(tmp_path_factory.mktemp("overlay") / "project")
    project.write("docs/bystander.md", page_source("# Bystander"))
    with served(project) as (site, _):
        yield site


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with faultless_context(browser) as context:
        yield context


def panel(page: Page) -> Locator:
    return page.locator("kahnd-overlay .panel")


def test_a_failure_is_shown_on_the_pages_that_need_what_failed_and_counted_on_others(
    site: Site, context: BrowserContext
) -> None:
    site.write("_part.md", "a part")
    site.write("needs.md", page_source("# Needs", '{% include "_part.md" %}'))
    site.project.wait()
    needs, other = site.open(context, "needs.html"), site.open(context, "bystander.html")
    site.write("_part.md", "line one\n\nline three {{ and <b>an error</b>\n")
    expect(panel(needs).locator("h2")).to_contain_text("docs/needs.md")
    expect(panel(needs).locator(".editor")).to_have_text("docs/_part.md:3")
    link = panel(needs).locator(".editor").get_attribute("href")
    assert link == f"vscode://file{site.project.path('docs/_part.md')}:3:1"
    expect(panel(needs).locator(".line.here")).to_have_text("3line three {{ and <b>an error</b>")
    says(needs, "a part")  # the last good page is below
    expect(other.locator("kahnd-overlay .count")).to_have_text("1 document is broken")
    expect(panel(other)).to_have_count(0)
    site.write("_part.md", "a part that is mended")
    expect(panel(needs)).to_have_count(0)
    expect(other.locator("kahnd-overlay .count")).to_have_count(0)
    says(needs, "mended")


def test_what_blocks_a_page_is_shown_with_the_way_that_leads_there(site: Site, context: BrowserContext) -> None:
    site.write("source.md", page_source("# Source", "good"))
    site.write("middle.md", page_source("# Middle", '{{ output("source.md").text | length }}'))
    site.write("top.md", page_source("# Top", '{{ output("middle.md").text | length }}'))
    site.project.wait()
    page = site.open(context, "top.html")
    site.write("source.md", page_source("# Source", "{{ no_such_name }}"))
    expect(panel(page).locator("h2")).to_have_text("docs/top.md waits for docs/source.md")
    expect(panel(page).locator(".message")).to_contain_text("no_such_name")
    expect(panel(page).locator(".chain li")).to_have_text(["docs/top.md", "docs/middle.md", "docs/source.md"])
    site.write("source.md", page_source("# Source", "good again"))
    expect(panel(page)).to_have_count(0)
    site.project.wait()


def test_escape_closes_it_and_only_a_new_error_opens_it_again(site: Site, context: BrowserContext) -> None:
    def broken(text: str) -> str:
        return page_source("# Closed", f"{{{{ {text} }}}}")

    site.write("closed.md", page_source("# Closed", "good"))
    site.project.wait()
    page = site.open(context, "closed.html")
    site.write("closed.md", broken("first"))
    expect(panel(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel(page)).to_have_count(0)
    site.write("closed.md", broken("first") + "\nand more\n")  # the same error
    site.project.wait(code=1)
    page.reload()
    expect(page.locator("kahnd-overlay .again")).to_be_visible()
    expect(panel(page)).to_have_count(0)
    site.write("closed.md", broken("second"))
    expect(panel(page).locator(".message")).to_contain_text("second")
    page.keyboard.press("Escape")
    site.write("closed.md", page_source("# Closed", "mended"))
    says(page, "mended")
    expect(page.locator("kahnd-overlay .again")).to_have_count(0)
    site.write("closed.md", broken("second"))  # it was mended meanwhile, so it is a new error
    expect(panel(page)).to_be_visible()
    panel(page).locator(".close").click()
    expect(panel(page)).to_have_count(0)
    page.locator("kahnd-overlay .again").click()
    expect(panel(page)).to_be_visible()
    site.write("closed.md", page_source("# Closed", "good"))
    expect(panel(page)).to_have_count(0)


def test_it_takes_no_focus_from_what_is_typed(site: Site, context: BrowserContext) -> None:
    field = '<input aria-label="Name">'
    site.write("typing.md", page_source("# Typing", field))
    site.project.wait()
    page = site.open(context, "typing.html")
    page.click("input")
    page.keyboard.type("be")
    site.write("typing.md", page_source("# Typing", field, "{{ broken"))
    expect(panel(page)).to_be_visible()
    page.keyboard.type("fore")
    assert page.input_value("input") == "before"
    page.keyboard.press("Escape")
    page.keyboard.type(" and after")
    assert page.input_value("input") == "before and after"
    site.write("typing.md", page_source("# Typing", field))
    expect(page.locator("kahnd-overlay .again")).to_have_count(0)


def test_a_page_that_is_opened_while_it_fails_shows_it(site: Site, context: BrowserContext) -> None:
    site.write("opened.md", page_source("# Opened", "good"))
    site.project.wait()
    site.write("opened.md", page_source("# Opened", "{{ broken"))
    site.project.wait(code=1)
    for page in (site.open(context, "opened.html"), site.open(context, "opened.html")):
        expect(panel(page)).to_be_visible()
    site.write("opened.md", page_source("# Opened", "good"))
    for page in context.pages:
        expect(panel(page)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing(site: Site, browser: Browser, scheme: str, width: int) -> None:
    context = context_of(browser, color_scheme=scheme, viewport={"width": width, "height": 700})
    name = f"axe-{scheme}-{width}"
    site.write(f"{name}.md", page_source("# Axe", "good"))
    site.project.wait()
    page = site.open(context, f"{name}.html")
    site.write(f"{name}.md", page_source("# Axe", "{{ no_such_name }}"))
    expect(panel(page)).to_be_visible()
    faults = _faults(page)
    page.keyboard.press("Escape")
    expect(page.locator("kahnd-overlay .again")).to_be_visible()
    faults += _faults(page)
    site.write(f"{name}.md", page_source("# Axe", "good"))
    expect(page.locator("kahnd-overlay .again")).to_have_count(0)
    site.project.wait()
    context.close()
    assert faults == []


def _faults(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    options = {"runOnly": {"type": "tag", "values": RULES}}
    found = page.evaluate("options => axe.run(document.querySelector('kahnd-overlay'), options)", options)
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]
