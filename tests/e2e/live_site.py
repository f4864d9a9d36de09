"""A project that a daemon serves, and a real browser that shows it."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from e2e.harness import Daemon, Project
from e2e.rules import rule, toml

CHROMIUM = shutil.which("chromium")
SOON_MS = 60_000
"""Far longer than anything here takes."""
PAGES = rule("docs/**/*.md", "page", "{dir}/{stem}.html", 'template = "docs/_page.html"\n')
COPIES = rule("docs/**/*.{css,js,svg,html}", "copy", "{dir}/{name}")
LAYOUT = (
    "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n<title>{{ page.title }}</title>\n"
    '<link rel="icon" href="data:,">\n{{ page.get("head") | safe }}\n</head>\n'
    "<body>\n<main>\n{{ content }}\n</main>\n</body>\n</html>\n"
)
WATCHED = """
addEventListener("kahnd:morphed", () => { window.updates = (window.updates ?? 0) + 1; }, true);
Object.defineProperty(document, "visibilityState", {get: () => window.hiddenNow ? "hidden" : "visible"});
"""
"""Counts updates, and lets a test hide a page: in a browser without windows, all tabs are in view."""

expect.set_options(timeout=SOON_MS)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def page_source(*text: str, head: str = "") -> str:
    """Markdown with front matter that puts HTML into the page's head."""
    return f"---\nhead: {json.dumps(head)}\n---\n" + "\n\n".join(text) + "\n"


@dataclass(frozen=True)
class Site:
    """A running daemon's project as browsers see it."""

    project: Project
    url: str

    def write(self, name: str, content: str) -> None:
        self.project.write(f"docs/{name}", content)

    def open(self, context: BrowserContext, path: str) -> Page:
        """Opens a page, and returns when its client is at work: it has read what was served."""
        page = context.new_page()
        page.set_default_timeout(SOON_MS)
        page.goto(self.url + path)
        ready(page)
        return page


def ready(page: Page) -> None:
    """Returns when a page's client has read again what was served, from the browser's cache."""
    page.wait_for_function("performance.getEntriesByName(document.URL).some(each => each.initiatorType === 'fetch')")


def serving(root: Path, **env: str) -> Project:
    """A project that is served at a free port."""
    project = Project(root, {"KAHND_SERVE__ENABLED": "true", "KAHND_SERVE__PORT": str(free_port()), **env})
    project.write("kahnd.toml", toml(PAGES, COPIES))
    project.write("docs/_page.html", LAYOUT)
    return project


@contextmanager
def served(project: Project) -> Iterator[tuple[Site, Daemon]]:
    with project.daemon() as daemon:
        yield Site(project, project.status()["serve"]["url"]), daemon


@contextmanager
def chromium(*words: str, **options: Any) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", *words],
            **options,
        )
        yield browser
        browser.close()


def context_of(browser: Browser, **options: Any) -> BrowserContext:
    context = browser.new_context(**options)
    context.set_default_timeout(SOON_MS)
    context.add_init_script(WATCHED)
    return context


@contextmanager
def faultless_context(browser: Browser) -> Iterator[BrowserContext]:
    """Yields a context, and asserts in the end that no page of it has raised an error."""
    context = context_of(browser)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    yield context
    context.close()
    assert errors == []


def says(page: Page, text: str) -> None:
    """Returns when the page has this text."""
    expect(page.locator("main")).to_contain_text(text)


def updates(page: Page) -> int:
    return int(page.evaluate("window.updates ?? 0"))


def state(page: Page, script: str, **names: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = page.evaluate(script, names)
    return found
