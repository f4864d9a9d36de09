"""The dashboard in a real browser: every view and state by axe, by keyboard and in pictures; and what it does.

Pictures of light, dark and narrow screens are kept in the folder that KAHND_SCREENSHOTS names, or with pytest's others.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from e2e.harness import Daemon, Project, eventually
from e2e.rules import PAGES, SCRIPTS, TEXTS

CHROMIUM = shutil.which("chromium")
AXE = files("axe_playwright_python") / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SOON_MS = 60_000
"""Far longer than anything here takes."""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 375, "height": 700}
HOSTILE = 'docs/<img src=x onerror="alert(1)">.md'
VIEWS = {
    "overview": "",
    "search": "documents?q=docs",
    "document": "documents/docs/index.md",
    "failed-document": "documents/docs/broken.md",
    "graph": "graph",
    "graph-table": "graph?table=1",
    "neighbourhood": "graph?document=docs/part.txt",
    "neighbourhood-table": "graph?document=docs/part.txt&table=1",
    "timeline": "timeline",
    "history": "history",
    "log": "log",
    "unknown-document": "documents/docs/no-such.md",
}

expect.set_options(timeout=SOON_MS)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


def served(folder: Path) -> Project:
    """A project whose daemon serves at a free port."""
    project = Project(folder, env={"KAHND_SERVE__ENABLED": "true", "KAHND_SERVE__PORT": "0"})
    project.configure(PAGES, TEXTS, SCRIPTS)
    project.write_all(
        {
            "docs/index.md": "# Home\n\n{% include '/docs/part.txt' %}\n",
            "docs/part.txt": "a part",
            "docs/guide/first.md": "# First\n\n[home](../index.md)\n",
            "docs/guide/second.md": "# Second\n",
            HOSTILE: "# A name\n",
        }
    )
    return project


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the screenshots are kept."""
    named = os.environ.get("KAHND_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with something good, failed, blocked and warned of, for tests that only look."""
    project = served(tmp_path_factory.mktemp("shown") / "project")
    project.write_all(
        {
            "docs/broken.md": "# Broken\n\n{{ <b>1</b> + }}\n",
            "docs/blocked.md": "{% include '/docs/broken.md' %}{{ output('/docs/broken.md').text }}\n",
        }
    )
    with project.daemon() as daemon:
        project.write("docs/part.txt", "another part")
        project.wait(code=None)
        yield daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon of the test's own, where all is good."""
    with served(tmp_path / "project").daemon() as daemon:
        yield daemon


@pytest.fixture
def opened(browser: Browser) -> Iterator[Any]:
    """Opens a view of a daemon's dashboard; at the end, no page may have had an error."""
    errors: list[str] = []

    def opened(daemon: Daemon, view: str = "", *, scheme: Any = "light", size: Any = WIDE) -> Page:
        page = browser.new_page(color_scheme=scheme, viewport=size)
        page.set_default_timeout(SOON_MS)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(f"{address(daemon)}_kahnd/#/{view}")
        return page

    yield opened
    for context in browser.contexts:
        context.close()
    expected = re.compile("Failed to load resource")  # an answer that says no, or a daemon that is away
    assert [each for each in errors if not expected.search(each)] == []


def address(daemon: Daemon) -> str:
    """Where it serves."""
    return str(eventually(lambda: (daemon.project.status().get("serve") or {}).get("url"), "the daemon serves"))


def settle(page: Page) -> None:
    """Wait until the view has what it asked for."""
    expect(page.locator("header .state")).not_to_contain_text("asking")
    expect(page.get_by_text("Asking the daemon…")).to_have_count(0)
    expect(page.locator("main h1")).to_be_visible()
    if page.locator(".canvas").count():
        expect(page.locator(".canvas[data-nodes]")).to_be_visible()


def row(page: Page, node: str) -> Locator:
    """The row of a node in the table of the graph."""
    return page.locator("tbody tr").filter(has=page.get_by_role("button", name=node, exact=True))


def faults(page: Page) -> list[str]:
    """The findings of axe: rule, and place."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("rules => axe.run({preload: false, runOnly: {type: 'tag', values: rules}})", RULES)
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_light_and_dark_and_on_a_narrow_screen(
    opened: Any, shown: Daemon, pictures: Path, view: str
) -> None:
    for name, scheme, size in (("light", "light", WIDE), ("dark", "dark", WIDE), ("narrow", "light", NARROW)):
        page = opened(shown, VIEWS[view], scheme=scheme, size=size)
        settle(page)
        page.screenshot(path=pictures / f"{view}-{name}.png", full_page=True)
        assert faults(page) == [], f"{view} {name}"
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], f"{view} {name} is cut off"
        page.close()


@pytest.mark.parametrize("view", VIEWS)
def test_the_keyboard_reaches_all_that_can_be_used(opened: Any, shown: Daemon, view: str) -> None:
    page = opened(shown, VIEWS[view])
    settle(page)
    wanted = page.evaluate("""() => {
        window.reached = new Set();
        document.addEventListener('focusin', event => window.reached.add(event.target));
        const all = 'a[href], button, input, select, textarea, summary, [tabindex="0"], [role=listbox]';
        window.wanted = [...document.querySelectorAll(all)].filter(each => each.checkVisibility());
        document.body.focus();
        return window.wanted.length;
    }""")
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
    missed = page.evaluate(
        "window.wanted.filter(each => each.isConnected && !window.reached.has(each)).map(each => each.outerHTML)"
    )
    assert missed == []
    assert wanted > len(VIEWS) // 2


def test_views_are_reached_by_links_and_the_back_button(opened: Any, shown: Daemon) -> None:
    page = opened(shown)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for name in ("Documents", "Graph", "Timeline", "History", "Log"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1")).to_have_text(name)
        expect(page.locator("nav [aria-current=page]")).to_have_text(name)
        expect(page.locator("main")).to_be_focused()
        expect(page).to_have_title(f"{name} · small · kahnd")
    page.go_back()
    expect(page.locator("h1")).to_have_text("History")


def test_a_failure_appears_and_goes_without_a_reload(opened: Any, daemon: Daemon) -> None:
    page = opened(daemon)
    expect(page.get_by_text("Nothing is broken.")).to_be_visible()
    page.evaluate("window.here = true")
    daemon.project.write("docs/guide/second.md", "{{ <b>1</b> + }}\n")
    failure = page.locator(".problems.failed li")
    expect(failure).to_contain_text("docs/guide/second.md")
    expect(failure.get_by_role("link", name="Edit")).to_have_attribute(
        "href", re.compile(r"^vscode://file/.*docs/guide/second\.md:1:\d+$")
    )
    expect(failure.get_by_role("link", name="Page")).to_have_attribute("href", re.compile(r"/guide/second\.html$"))
    expect(page.locator(".count.failed dd")).to_have_text("1")
    daemon.project.write("docs/guide/second.md", "# Mended\n")
    expect(page.get_by_text("Nothing is broken.")).to_be_visible()
    assert page.evaluate("window.here")


def test_a_running_build_is_shown_by_waves(opened: Any, daemon: Daemon) -> None:
    gate = daemon.project.gate()
    page = opened(daemon)
    expect(page.locator("header .state")).to_contain_text("idle")
    daemon.project.write_all({f"docs/{name}.sh": gate.script(name) for name in ("one", "two")})
    gate.reached()
    expect(page.locator("#running")).to_contain_text("Building: docs/")
    wave = page.locator(".waves li")
    expect(wave).to_contain_text("Generation 0")
    expect(page.get_by_role("progressbar")).to_have_js_property("max", 2)
    expect(page.get_by_label("Being rendered")).to_contain_text("docs/one.sh")
    settle(page)
    assert faults(page) == []
    gate.open()
    expect(page.locator("#last")).to_be_visible()


def test_build_and_retry_do_what_they_say_and_tell_how_it_ended(opened: Any, daemon: Daemon) -> None:
    project = daemon.project
    page = opened(daemon)
    expect(page.get_by_role("button", name="Retry what failed")).to_have_attribute("aria-disabled", "true")
    project.path("site/index.html").unlink()
    page.get_by_role("button", name="Build", exact=True).click()
    expect(page.locator(".actions [role=status]")).to_contain_text("1 rendered")
    assert project.exists("site/index.html")
    project.write("docs/flag.sh", f'[ -e {project.path("flag")} ] && echo yes > "$1"\n')
    expect(page.locator(".problems.failed li")).to_contain_text("docs/flag.sh")
    project.write("flag", "")
    page.get_by_role("button", name="Retry what failed").click()
    expect(page.locator(".actions [role=status]")).to_contain_text("1 rendered")
    expect(page.get_by_text("Nothing is broken.")).to_be_visible()


def test_names_and_errors_are_text(opened: Any, daemon: Daemon) -> None:
    """No view makes elements of what a document is called or says; `opened` hears of every dialog and error."""
    daemon.project.write(HOSTILE, "{{ '<script>alert(2)</script>' + }}\n")
    page = opened(daemon)
    expect(page.locator(".problems.failed li")).to_contain_text(HOSTILE)
    for view in ("documents?q=img", "graph?table=1", "timeline", "history", "log"):
        page.goto(f"{address(daemon)}_kahnd/#/{view}")
        settle(page)
        expect(page.locator("main")).to_contain_text("<img src=x")
        assert page.locator("img, main script").count() == 0
    page.goto(f"{address(daemon)}_kahnd/#/documents?q=img")
    page.locator(".found a").click()
    expect(page.locator("h2")).to_have_text(HOSTILE)


def test_why_is_a_chain_from_the_edited_document(opened: Any, daemon: Daemon) -> None:
    page = opened(daemon, "documents/docs/index.md")
    expect(page.locator(".reasons")).to_contain_text("it was new")
    daemon.project.write("docs/part.txt", "another part")
    chain = page.get_by_role("list", name="From the edited document to this one").locator("li")
    expect(chain).to_have_text(["docs/part.txt", "docs/index.md"])
    expect(page.locator(".reasons")).to_contain_text("what it uses changed: docs/part.txt")
    expect(page.get_by_role("table", name="Past renders of docs/index.md").locator("tbody tr")).to_have_count(2)
    chain.first.get_by_role("link").click()
    expect(page.locator("h2")).to_have_text("docs/part.txt")


def test_the_graph_is_walked_by_keyboard_and_statuses_move_as_they_happen(opened: Any, daemon: Daemon) -> None:
    project = daemon.project
    project.write_all({f"docs/many/{number:03}.txt": "{% include '/docs/part.txt' %}" for number in range(150)})
    project.wait()
    page = opened(daemon, "graph")
    expect(page.locator(".canvas")).to_have_attribute("data-nodes", re.compile(r"^\d$"))
    page.get_by_role("button", name="Table").press("Enter")
    many = row(page, "docs/many")
    expect(many).to_contain_text("150 done")
    project.write("docs/many/007.txt", "{{ 1 + }}")
    expect(many).to_contain_text("1 failed, 149 done")
    page.get_by_role("button", name="docs/many", exact=True).press("Enter")
    expect(page.get_by_role("button", name="+50 more")).to_be_visible()
    failed = row(page, "docs/many/007.txt")
    expect(failed).to_contain_text("failed")
    project.write("docs/many/007.txt", "{% include '/docs/part.txt' %}")
    expect(failed).to_contain_text("done")
    page.get_by_role("button", name="docs/many/007.txt").press("Enter")
    expect(page.locator(".where")).to_contain_text("Around docs/many/007.txt")
    expect(row(page, "docs/part.txt")).to_contain_text("docs/many/007.txt")
    page.get_by_label("Levels that it needs").select_option("0")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Find a document").fill("part.txt")
    page.get_by_role("button", name="docs/part.txt", exact=True).first.press("Enter")
    expect(page.get_by_role("button", name=re.compile(r"^\+\d+ more$"))).to_be_visible()
    page.get_by_role("button", name="All folders").press("Enter")
    expect(page.get_by_role("list", name="Opened folders")).to_contain_text("docs/many")


def test_a_click_on_a_folder_in_the_drawing_opens_it(opened: Any, daemon: Daemon) -> None:
    project = daemon.project
    for each in ("docs/index.md", "docs/part.txt", "docs/guide/first.md", "docs/guide/second.md", HOSTILE):
        project.remove(each)
    project.write_all({f"docs/many/{number:03}.txt": "text" for number in range(150)})
    project.wait()
    page = opened(daemon, "graph")
    canvas = page.locator(".canvas")
    expect(canvas).to_have_attribute("data-nodes", "1")
    expect(page.get_by_text("1 node and 0 edges are shown")).to_be_visible()

    def hovered() -> bool:
        canvas.hover(position={"x": 5, "y": 5})
        canvas.hover()  # the only node is in the middle
        return "docs/many: 150 documents" in page.locator(".hovered").inner_text()

    eventually(hovered, "the node is drawn, and knows that the mouse is over it")
    canvas.click()
    expect(canvas).to_have_attribute("data-nodes", "101")
    page.get_by_role("button", name="Close").click()
    expect(canvas).to_have_attribute("data-nodes", "1")


def test_the_log_is_filtered_and_read_by_keyboard(opened: Any, shown: Daemon) -> None:
    page = opened(shown, "log?level=error")
    lines = page.get_by_role("listbox")
    expect(lines.get_by_role("option").first).to_contain_text("document.failed")
    assert set(lines.locator(".level").all_text_contents()) == {"error"}
    page.get_by_label("Level").select_option("debug")
    expect(lines).to_contain_text("build.finished")
    page.get_by_label("Text").fill("PART.txt")
    page.keyboard.press("Enter")
    expect(lines).not_to_contain_text("document.failed")
    expect(lines).to_contain_text("docs/part.txt")
    lines.focus()
    page.keyboard.press("End")
    chosen = lines.locator("[aria-selected=true]")
    expect(chosen).to_have_count(1)
    expect(lines).to_have_attribute("aria-activedescendant", str(chosen.get_attribute("id")))
    expect(page.get_by_label("The chosen line")).to_contain_text("timestamp")
    page.keyboard.press("Home")
    expect(lines.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    assert faults(page) == []


def test_a_long_log_keeps_only_the_lines_in_view_in_the_page(opened: Any, daemon: Daemon) -> None:
    daemon.project.write_all({f"docs/many/{number:03}.txt": "text" for number in range(400)})
    daemon.project.wait()
    page = opened(daemon, "log")
    lines = page.get_by_role("listbox")
    expect(lines.get_by_role("option").last).to_contain_text("build.finished")
    assert 10 < lines.get_by_role("option").count() < 60
    assert int(lines.get_by_role("option").last.get_attribute("aria-setsize") or 0) > 400
    lines.focus()
    page.keyboard.press("Home")
    expect(lines.get_by_role("option").first).to_contain_text("daemon.started")


def test_the_timeline_shows_lanes_and_the_trace_can_be_downloaded(opened: Any, daemon: Daemon) -> None:
    page = opened(daemon, "history")
    page.get_by_role("table", name="Builds, newest first").get_by_role("link").last.click()
    expect(page.locator(".lanes rect").first).to_be_visible()
    rows = page.get_by_role("table", name=re.compile("^Renderings")).locator("tbody tr")
    assert rows.count() == page.locator(".lanes rect").count() >= 5
    expect(rows.filter(has_text="yes").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the trace").click()
    assert re.fullmatch(r"kahnd-[0-9T-]+\.json", download.value.suggested_filename)
    assert b'"traceEvents"' in download.value.path().read_bytes()


def test_the_page_goes_on_by_itself_after_a_restart(opened: Any, tmp_path: Path) -> None:
    project = served(tmp_path / "project")
    with project.daemon() as first:
        page = opened(first)
        expect(page.locator("header .state")).to_contain_text("idle")
        port = address(first).rstrip("/").rpartition(":")[2]
    expect(page.locator("header .state")).to_contain_text("no answer")
    project.env["KAHND_SERVE__PORT"] = port
    with project.daemon() as second:
        expect(page.locator("header .state")).to_contain_text("idle")
        second.project.path("site/index.html").unlink()
        page.get_by_role("button", name="Build", exact=True).click()
        expect(page.locator(".actions [role=status]")).to_contain_text("1 rendered")
