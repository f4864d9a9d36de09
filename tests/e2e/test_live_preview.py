"""Live update in a real browser: what the reader does to a page stays, and only what has changed is touched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, expect

from e2e.harness import eventually
from e2e.live_site import (
    CHROMIUM,
    SOON_MS,
    Site,
    chromium,
    context_of,
    faultless_context,
    page_source,
    ready,
    says,
    served,
    serving,
    updates,
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(ignore_default_args=["--disable-back-forward-cache"]) as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One daemon for this module: each test has pages of its own, and leaves nothing broken."""
    project = serving(tmp_path_factory.mktemp("live") / "project")
    project.write("docs/bystander.md", page_source("# Bystander"))
    with served(project) as (site, _):
        yield site


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with faultless_context(browser) as context:
        yield context


def write(site: Site, name: str, content: str, code: int = 0) -> None:
    """Writes a document, and returns when it is rendered, or has failed."""
    site.write(name, content)
    site.project.wait(code=code)


# Which tabs are touched, and how often


def test_thirty_tabs_share_one_connection_and_the_next_one_opens(site: Site, context: BrowserContext) -> None:
    write(site, "tabs.md", page_source("# Tabs", "before"))
    sockets: list[str] = []
    context.on("page", lambda page: page.on("websocket", lambda socket: sockets.append(socket.url)))
    tabs = [site.open(context, "tabs.html") for _ in range(30)]
    began = time.monotonic()
    last = context.new_page()
    last.goto(site.url + "tabs.html", wait_until="commit")
    assert time.monotonic() - began < 10  # the time on a quiet machine is in docs/performance.md
    ready(last)
    write(site, "tabs.md", page_source("# Tabs", "after"))
    for tab in [*tabs, last]:
        says(tab, "after")
    assert sockets == []  # the shared worker holds it
    port = int(site.url.rstrip("/").rpartition(":")[2])
    eventually(lambda: connections(port) == 1, "requests' connections end, and one connection is left")


def connections(port: int) -> int:
    """The number of connections that a local server has."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(int(each[1].split(":")[1], 16) == port and each[3] == "01" for each in map(str.split, lines))


def test_only_the_tab_whose_page_has_changed_is_touched(site: Site, context: BrowserContext) -> None:
    write(site, "mine.md", page_source("# Mine", "before"))
    mine, other = site.open(context, "mine.html"), site.open(context, "bystander.html")
    write(site, "mine.md", page_source("# Mine", "after"))
    says(mine, "after")
    assert (updates(mine), updates(other)) == (1, 0)


def test_a_page_never_updates_twice_for_one_version(site: Site, context: BrowserContext) -> None:
    write(site, "once.md", page_source("# Once", "version 0"))
    page = site.open(context, "once.html")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for number in range(1, 6):
        write(site, "once.md", page_source("# Once", f"version {number}"))
        says(page, f"version {number}")
        site.project.path("docs/once.md").touch()  # the same bytes make no version
        site.project.wait()
    assert updates(page) == 5
    assert len(asked) == 5


def test_a_tab_in_the_background_catches_up_when_it_is_shown(site: Site, context: BrowserContext) -> None:
    write(site, "behind.md", page_source("# Behind", "before"))
    hidden, shown = site.open(context, "behind.html"), site.open(context, "behind.html")
    hidden.evaluate("hiddenNow = true; document.dispatchEvent(new Event('visibilitychange'))")
    for text in ("between", "after"):
        write(site, "behind.md", page_source("# Behind", text))
        says(shown, text)
    assert hidden.inner_text("p") == "before"
    hidden.evaluate("hiddenNow = false; document.dispatchEvent(new Event('visibilitychange'))")
    says(hidden, "after")
    assert updates(hidden) == 1


def test_back_shows_the_page_as_it_is_now(site: Site, context: BrowserContext) -> None:
    write(site, "back.md", page_source("# Back", "before"))
    page = site.open(context, "back.html")
    page.evaluate("addEventListener('pageshow', event => { window.restored = event.persisted })")
    page.goto(site.url + "bystander.html")
    ready(page)
    write(site, "back.md", page_source("# Back", "after"))
    page.go_back(wait_until="commit")
    says(page, "after")
    assert page.evaluate("window.restored") is True  # it was kept as it was left, and then updated
    assert updates(page) == 1


def test_after_a_restart_every_tab_comes_back_and_only_those_that_differ_are_touched(
    tmp_path: Path, browser: Browser
) -> None:
    project = serving(tmp_path / "project")
    project.write_all({f"docs/{name}.md": page_source(f"# {name}", "before") for name in ("same", "other")})
    context = context_of(browser)
    with served(project) as (site, _):
        same, other = site.open(context, "same.html"), site.open(context, "other.html")
    project.write("docs/other.md", page_source("# other", "meanwhile"))
    with served(project) as (site, _):
        says(other, "meanwhile")
        write(site, "same.md", page_source("# same", "after"))
        says(same, "after")
        assert (updates(same), updates(other)) == (1, 1)
    context.close()


# What stays as it is

LONG = [f"Paragraph {number} of the text. " + "It has words. " * 30 for number in range(60)]
STATEFUL = """
<details id="opened"><summary>More</summary>all</details>
<details><summary>Another</summary>all</details>
<input><textarea></textarea><input type="checkbox"><select><option>1</option><option>2</option></select>
<input type="radio" name="which" value="1"><input type="radio" name="which" value="2">
<video></video><p class="selected">Some text to select</p><div class="made"></div><p class="rewritten">raw</p>
""".replace("\n", "")
ACT = """
const of = selector => document.querySelector(selector);
of("details:nth-of-type(2)").open = true;
of("input").value = "typed"; of("textarea").value = "typed too"; of("[type=checkbox]").checked = true;
of("select").selectedIndex = 1; of("[type=radio][value='2']").checked = true;
of(".made").append(Object.assign(document.createElement("b"), {textContent: "made by a script"}));
of(".rewritten").innerHTML = "<i>rewritten by a script</i>";
document.body.classList.add("by-script"); document.documentElement.dataset.theme = "dark";
const canvas = document.createElement("canvas"), drawing = canvas.getContext("2d");
setInterval(() => drawing.fillRect(Math.random() * 300, 0, 5, 5), 20);
const video = of("video"); video.muted = true; video.srcObject = canvas.captureStream(); video.play();
video.kept = true;
of("textarea").focus(); of("textarea").setSelectionRange(2, 5);
"""
STATE = """() => {
  const of = selector => document.querySelector(selector);
  return {
    open: [...document.querySelectorAll("details")].map(each => [each.querySelector("summary").textContent, each.open]),
    typed: [of("input").value, of("textarea").value], checked: of("[type=checkbox]").checked,
    selected: of("select").selectedIndex, radio: of("[type=radio][value='2']").checked,
    focus: [document.activeElement.localName, of("textarea").selectionStart, of("textarea").selectionEnd],
    made: of(".made").textContent, rewritten: of(".rewritten").textContent,
    playing: of("video").kept && !of("video").paused, theme: document.documentElement.dataset.theme,
    script: document.body.classList.contains("by-script"),
  };
}"""


def test_all_that_reader_and_scripts_have_done_stays(site: Site, context: BrowserContext) -> None:
    write(site, "kept.md", page_source("# Kept", "before", STATEFUL, *LONG[:3]))
    page = site.open(context, "kept.html")
    page.evaluate(ACT)
    page.wait_for_function("document.querySelector('video').currentTime > 0")
    before = page.evaluate(STATE)
    inserted = '<details><summary>New</summary>first</details><input value="new">'.replace(
        "<input", "<span></span><input"
    )
    edits = [
        page_source("# Kept", "after", STATEFUL, *LONG[:3]),
        page_source("# Kept, with a new heading", "A new paragraph.", "after", STATEFUL, *LONG[:3]),
        page_source("# Kept", "A new paragraph.", "after", STATEFUL, "A last one.", *LONG[:2]),
        page_source(STATEFUL, "A last one.", *LONG[:2], head='<meta name="description" content="new">'),
        page_source("# Anew", STATEFUL, inserted),
    ]
    for number, source in enumerate(edits, 1):
        write(site, "kept.md", source)
        page.wait_for_function("number => window.updates === number", arg=number)
        now = page.evaluate(STATE)
        now["open"] = [each for each in now["open"] if each[0] != "New"]
        assert now == before


def test_a_selection_in_a_paragraph_that_is_edited_after_it_stays(site: Site, context: BrowserContext) -> None:
    write(site, "selected.md", page_source("# Selected", "These words stay. The end is written."))
    page = site.open(context, "selected.html")
    page.evaluate("""() => {
      const text = document.querySelector("main p").firstChild;
      getSelection().setBaseAndExtent(text, 6, text, 16);
    }""")
    write(site, "selected.md", page_source("# Selected", "These words stay. The end is written anew, and longer."))
    says(page, "anew")
    assert page.evaluate("String(getSelection())") == "words stay"


@pytest.mark.parametrize("place", [0, 15, 29, 30, 31, 45, 59])
def test_what_is_at_the_top_of_the_view_does_not_move(site: Site, context: BrowserContext, place: int) -> None:
    """Whether paragraphs before, at or after it come, go, or grow."""
    name = f"scroll-{place}"
    write(site, f"{name}.md", page_source("# Scrolled", *LONG))
    page = site.open(context, f"{name}.html")
    page.evaluate("scrollTo(0, document.querySelectorAll('main p')[30].getBoundingClientRect().top + 7)")
    top = page.evaluate(TOP_OF, LONG[30])
    assert -10 < top < 0
    inserted = [*LONG[:place], *["A new paragraph."] * 9, *LONG[place:]]
    grown = [*LONG[:place], LONG[place] + "It has grown. " * 200, *LONG[place + 1 :]]
    for number, text in enumerate([inserted, LONG, grown, LONG], 1):
        write(site, f"{name}.md", page_source("# Scrolled", *text))
        page.wait_for_function("number => window.updates === number", arg=number)
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert abs(page.evaluate(TOP_OF, LONG[30]) - top) <= 2


TOP_OF = """text => [...document.querySelectorAll("main p")]
  .find(each => each.textContent.startsWith(text.slice(0, 30))).getBoundingClientRect().top"""


def test_what_is_marked_to_be_kept_is_never_changed(site: Site, context: BrowserContext) -> None:
    def source(text: str) -> str:
        return page_source("# Marked", f'<div data-kahnd-keep="map"><p>{text}</p></div><p>{text}</p>')

    write(site, "marked.md", source("before"))
    page = site.open(context, "marked.html")
    page.evaluate("document.querySelector('[data-kahnd-keep]').append('and a map')")
    write(site, "marked.md", source("after"))
    expect(page.locator("main > p")).to_have_text("after")
    expect(page.locator("[data-kahnd-keep]")).to_have_text("beforeand a map")


# What a page uses


def test_a_stylesheet_is_exchanged_without_a_flash_and_the_page_is_not_touched(
    site: Site, context: BrowserContext
) -> None:
    site.write("green.css", "main { color: rgb(0, 128, 0) }")
    write(site, "styled.md", page_source("# Styled", head='<link rel="stylesheet" href="green.css">'))
    page, other = site.open(context, "styled.html"), site.open(context, "bystander.html")
    page.evaluate("""() => {
      window.colours = new Set();
      const look = () => {
        colours.add(getComputedStyle(document.querySelector("main")).color);
        requestAnimationFrame(look);
      };
      look();
    }""")
    for colour in ("rgb(0, 0, 255)", "rgb(255, 0, 0)"):
        write(site, "green.css", f"main {{ color: {colour} }}")
        expect(page.locator("main")).to_have_css("color", colour)
    expect(page.locator("link[rel=stylesheet]")).to_have_count(1)
    assert page.evaluate("[...colours]") == ["rgb(0, 128, 0)", "rgb(0, 0, 255)", "rgb(255, 0, 0)"]
    assert (updates(page), updates(other)) == (0, 0)


def test_what_a_stylesheet_imports_is_exchanged_too(site: Site, context: BrowserContext) -> None:
    site.write("inner.css", "main { color: rgb(1, 1, 1) }")
    site.write("outer.css", "@import 'inner.css';")
    write(site, "imports.md", page_source("# Imports", head='<link rel="stylesheet" href="outer.css">'))
    page = site.open(context, "imports.html")
    expect(page.locator("main")).to_have_css("color", "rgb(1, 1, 1)")
    write(site, "inner.css", "main { color: rgb(2, 2, 2) }")
    expect(page.locator("main")).to_have_css("color", "rgb(2, 2, 2)")


def test_a_page_that_names_another_stylesheet_shows_it(site: Site, context: BrowserContext) -> None:
    site.write("one.css", "main { color: rgb(1, 1, 1) }")
    site.write("two.css", "main { color: rgb(2, 2, 2) }")
    write(site, "names.md", page_source("# Names", head='<link rel="stylesheet" href="one.css">'))
    page = site.open(context, "names.html")
    write(site, "names.md", page_source("# Names", head='<link rel="stylesheet" href="two.css">'))
    expect(page.locator("main")).to_have_css("color", "rgb(2, 2, 2)")
    expect(page.locator("link[rel=stylesheet]")).to_have_count(1)


def picture(width: int) -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="10"/>'


def test_an_image_is_exchanged(site: Site, context: BrowserContext) -> None:
    site.write("image.svg", picture(10))
    write(site, "image.md", page_source("# Image", '<img src="image.svg" alt="">'))
    page = site.open(context, "image.html")
    write(site, "image.svg", picture(77))
    page.wait_for_function("document.querySelector('img').naturalWidth === 77")
    write(site, "image.md", page_source("# Image", '<img src="image.svg" alt="">', "more"))
    says(page, "more")
    assert page.evaluate("document.querySelector('img').naturalWidth") == 77


def test_an_image_that_is_one_of_several_is_exchanged(site: Site, context: BrowserContext) -> None:
    site.project.write("docs/small/one.svg", picture(5))
    site.write("one.svg", picture(10))
    write(site, "several.md", page_source("# Several", '<img srcset="small/one.svg 9x,one.svg 1x" alt="">'))
    page = site.open(context, "several.html")
    write(site, "one.svg", picture(77))
    page.wait_for_function("document.querySelector('img').naturalWidth === 77")


def test_a_changed_script_reloads_the_pages_that_run_it_and_no_other(site: Site, context: BrowserContext) -> None:
    site.write("run.js", "document.documentElement.dataset.ran = 'one'")
    write(site, "runs.md", page_source("# Runs", head='<script src="run.js" defer></script>'))
    page, other = site.open(context, "runs.html"), site.open(context, "bystander.html")
    for each in (page, other):
        each.evaluate("window.loadedBefore = true")
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    write(site, "run.js", "document.documentElement.dataset.ran = 'two'")
    expect(page.locator("html")).to_have_attribute("data-ran", "two")
    ready(page)
    write(site, "runs.md", page_source("# Runs", "updated", head='<script src="run.js" defer></script>'))
    says(page, "updated")
    assert (len(loads), updates(page)) == (1, 1)  # the change that it was loaded for does not load it again
    assert page.evaluate("window.loadedBefore === undefined")
    assert other.evaluate("window.loadedBefore")


def test_a_script_in_the_page_that_is_another_runs(site: Site, context: BrowserContext) -> None:
    write(site, "inline.md", page_source("# Inline", "<script>window.ran = 'one'</script>"))
    page = site.open(context, "inline.html")
    write(site, "inline.md", page_source("# Inline", "<script>window.ran = 'two'</script>"))
    page.wait_for_function("window.ran === 'two'")


def test_data_that_a_script_has_fetched_changes_no_page(site: Site, context: BrowserContext) -> None:
    site.write("data.svg", picture(1))
    write(site, "fetches.md", page_source("# Fetches"))
    page = site.open(context, "fetches.html")
    page.evaluate("""() => {
      window.heard = [];
      document.addEventListener("kahnd:asset", event => heard.push(event.detail.path));
      return fetch("data.svg");
    }""")
    write(site, "data.svg", picture(2))
    page.wait_for_function("heard.length")
    assert page.evaluate("new Set(heard).size") == 1
    assert updates(page) == 0


# Pages that come and go


def test_the_page_of_what_is_not_there_becomes_the_page_and_a_removed_page_says_so(
    site: Site, context: BrowserContext
) -> None:
    page = site.open(context, "coming.html")
    write(site, "coming.md", page_source("# Here it is", "at last"))
    says(page, "at last")
    site.project.remove("docs/coming.md")
    expect(page.locator("kahnd-overlay .notice")).to_contain_text("no longer made")
    says(page, "at last")
    write(site, "coming.md", page_source("# Here it is", "once more"))
    says(page, "once more")
    expect(page.locator("kahnd-overlay .notice")).to_be_hidden()


def test_a_page_that_is_removed_and_put_back_as_it_was_is_not_called_gone(site: Site, context: BrowserContext) -> None:
    write(site, "back.md", page_source("# Back", "the same"))
    page = site.open(context, "back.html")
    site.project.remove("docs/back.md")
    expect(page.locator("kahnd-overlay .notice")).to_contain_text("no longer made")
    write(site, "back.md", page_source("# Back", "the same"))
    expect(page.locator("kahnd-overlay .notice")).to_be_hidden()
    assert updates(page) == 0


def test_names_that_no_file_can_have_disturb_no_other_tab(site: Site, context: BrowserContext) -> None:
    """All tabs share a connection, which the daemon ends if it is told of a name that is too long."""
    write(site, "calm.md", page_source("# Calm", "before"))
    page, other = site.open(context, "calm.html"), context.new_page()
    other.goto(site.url + "x" * 5_000)
    page.evaluate("name => fetch(name)", "y" * 5_000)
    page.wait_for_function("performance.getEntriesByType('resource').some(each => each.name.endsWith('yyy'))")
    write(site, "calm.md", page_source("# Calm", "after"))
    says(page, "after")


def test_a_page_in_an_old_encoding_is_updated(site: Site, context: BrowserContext) -> None:
    def source(text: str) -> bytes:
        return f"<!doctype html><meta charset=iso-8859-1><title>t</title><main>{text}</main>".encode("latin-1")

    site.project.path("docs/old.html").write_bytes(source("déjà"))
    site.project.wait()
    page = site.open(context, "old.html")
    site.project.path("docs/old.html").write_bytes(source("à la carte"))
    says(page, "à la carte")


@pytest.mark.parametrize("policy", ["connect-src 'none'", "require-trusted-types-for 'script'"])
def test_a_page_whose_policy_forbids_to_read_it_is_loaded_again(
    site: Site, context: BrowserContext, policy: str
) -> None:
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    write(site, "closed.md", page_source("# Closed", "before", head=head))
    page = context.new_page()
    page.goto(site.url + "closed.html")
    says(page, "before")
    write(site, "closed.md", page_source("# Closed", "after", head=head))
    says(page, "after")


def test_a_page_that_could_not_be_read_at_first_is_updated(site: Site, context: BrowserContext) -> None:
    write(site, "later.md", page_source("# Later", "before"))
    page = context.new_page()
    refused: list[str] = []
    page.set_default_timeout(SOON_MS)

    def refuse(route: Route) -> None:
        if route.request.resource_type == "fetch" and len(refused) < 2:
            refused.append(route.request.url)
            route.abort() if len(refused) == 1 else route.fulfill(status=502, body="no daemon is there")
        else:
            route.continue_()

    page.route("**/later.html", refuse)
    page.goto(site.url + "later.html")
    while not refused:  # playwright calls `refuse` while it waits
        page.wait_for_timeout(10)
    write(site, "later.md", page_source("# Later", "after"))
    says(page, "after")
    assert len(refused) == 2
    expect(page.locator("kahnd-overlay .notice")).to_have_count(0)


def test_a_page_with_a_strict_policy_of_its_own_is_updated(site: Site, context: BrowserContext) -> None:
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'self'; style-src 'none'\">"
    write(site, "strict.md", page_source("# Strict", "before", head=policy))
    page = site.open(context, "strict.html")
    write(site, "strict.md", page_source("# Strict", "after", head=policy))
    says(page, "after")


def test_a_page_that_may_have_no_worker_has_a_connection_of_its_own(site: Site, context: BrowserContext) -> None:
    policy = '<meta http-equiv="Content-Security-Policy" content="worker-src \'none\'">'
    write(site, "alone.md", page_source("# Alone", "before", head=policy))
    page = site.open(context, "alone.html")
    write(site, "alone.md", page_source("# Alone", "after", head=policy))
    says(page, "after")


# What is published


def test_no_answer_shows_half_of_a_version(site: Site, context: BrowserContext) -> None:
    def source(number: int) -> str:
        return page_source("# Whole", f"begin-{number}-", *LONG, f"-end-{number}")

    write(site, "whole.md", source(0))
    page = site.open(context, "bystander.html")
    page.evaluate("""async () => {
      window.torn = []; window.seen = new Set();
      const look = async () => {
        const text = await (await fetch("whole.html", {cache: "no-store"})).text();
        const begin = /begin-(\\d+)-/.exec(text)?.[1], end = /-end-(\\d+)/.exec(text)?.[1];
        if (begin === undefined || begin !== end || !text.includes("</html>")) torn.push(text);
        seen.add(begin);
        setTimeout(look);
      };
      look(); look(); look();
    }""")
    for number in range(1, 30):
        write(site, "whole.md", source(number))
    page.wait_for_function("seen.has('29')")
    assert page.evaluate("torn") == []
    assert page.evaluate("seen.size") > 5


def test_a_build_that_fails_keeps_every_last_good_page(site: Site, context: BrowserContext) -> None:
    write(site, "good.md", page_source("# Good", "the last good one"))
    write(site, "good.md", page_source("# Good", "{{ broken"), code=1)
    page = site.open(context, "good.html")
    says(page, "the last good one")
    write(site, "good.md", page_source("# Good", "mended"))
    says(page, "mended")
