"""Builds the Rust book and FastAPI's documentation unchanged with kahnd, and measures edits beside their own tools.

    python benchmarks/sites.py [--book CHECKOUT] [--fastapi CHECKOUT] [--peers BIN] [--edits N]

Checkouts are copied, `kahnd import` makes projects of the copies, and a hook of `benchmarks/hooks` is added to each.
Told are pages, failures, links to `.md` left in the output, and links that lead nowhere without a warning; then an
edit of a chapter's text and one of its title, from the save until the page shows it. Each edit has to render exactly
the documents whose output shows it. `--peers` is a folder with `mdbook`, `zensical` and `mkdocs`; without it they are
looked for on the PATH. Exits with 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from suite import machine
from suite.file_changes import Identity, WrongError, identity, until
from suite.tools.hugo import free_port
from suite.tools.kahnd import PROGRAM
from suite.tools.log import Log
from suite.tools.tool import background, run

HOOKS: Final = Path(__file__).with_name("hooks")
MOST_HOOK_LINES: Final = 40
PREPROCESSORS: Final = re.compile(r"^# Do not sync this preprocessor.*?(?=^\[rust\])", re.MULTILINE | re.DOTALL)
"""Of the book's configuration: they are Rust programs, which cargo would have to build."""
ZENSICAL_ONLY: Final = re.compile(
    r"^ +(?:zensical\.extensions\.macros|custom_dir|variant):.*\n|^validation:\n(?: .*\n?)*", re.MULTILINE
)
"""Of FastAPI's configuration: MkDocs does not know it."""


@dataclass(frozen=True)
class Peer:
    """Another generator's server: its command, with {port}, and the URL's part of the edited page."""

    name: str
    words: tuple[str, ...]
    page: str
    folder: str = "."
    left_out: re.Pattern[str] | None = None
    config: str = ""


@dataclass(frozen=True)
class Site:
    """A real site: what is copied of its checkout, how it is imported, and the page that is edited."""

    name: str
    kind: str
    copied: dict[str, str]
    hook: str
    sources: tuple[str, ...]
    chapter: str
    output: str
    peers: tuple[Peer, ...]


BOOK: Final = Site(
    "the Rust book",
    "mdbook",
    {each: each for each in ("src", "listings", "theme", "book.toml", "ferris.css", "ferris.js")},
    "rust_book.py",
    (),
    "src/ch04-01-what-is-ownership.md",
    "ch04-01-what-is-ownership.html",
    (
        Peer(
            "mdbook serve",
            ("mdbook", "serve", "-p", "{port}"),
            "ch04-01-what-is-ownership.html",
            left_out=PREPROCESSORS,
            config="book.toml",
        ),
    ),
)
_FASTAPI_PAGE: Final = "tutorial/first-steps/"
FASTAPI: Final = Site(
    "FastAPI's documentation",
    "mkdocs",
    {"docs/en": ".", "docs_src": "docs_src", "fastapi": "fastapi"},
    "fastapi_docs.py",
    ("docs_src", "fastapi"),
    "docs/tutorial/first-steps.md",
    f"{_FASTAPI_PAGE}index.html",
    (
        Peer("zensical serve", ("zensical", "serve", "-a", "127.0.0.1:{port}"), _FASTAPI_PAGE, "docs/en"),
        Peer(
            "mkdocs serve",
            ("mkdocs", "serve", "-a", "127.0.0.1:{port}"),
            _FASTAPI_PAGE,
            "docs/en",
            ZENSICAL_ONLY,
            "mkdocs.yml",
        ),
    ),
)


@dataclass(frozen=True)
class Edits:
    """Milliseconds from a save until the page shows it, for edits of the text and of the title."""

    text: Sequence[float]
    title: Sequence[float]


class Links(HTMLParser):
    """The links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Takes the tag's addresses."""
        del tag
        self.found += [value for name, value in attrs if name in {"href", "src"} and value]


class Chapter:
    """A page that is edited again and again, from its first text."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._text = file.read_text()

    def save(self, mark: str, *, title: bool) -> float:
        """Saves it with a mark at its end or in its title; returns the time."""
        if title:
            edited = re.sub(r"^(#+ +.*?)( *\{.*\})?$", rf"\1 {mark}\2", self._text, count=1, flags=re.MULTILINE)
        else:
            edited = f"{self._text.rstrip()}\n\nThis is new: {mark}.\n"
        self._file.write_text(edited)
        return time.perf_counter()

    def restore(self) -> None:
        """Saves its first text."""
        self._file.write_text(self._text)


def prepare(site: Site, checkout: Path, root: Path) -> int:
    """Makes a project of the checkout; returns the lines of hooks that it has beside those that import wrote."""
    for origin, to in site.copied.items():
        if (checkout / origin).is_dir():
            shutil.copytree(checkout / origin, root / to, dirs_exist_ok=True)
        else:
            shutil.copy(checkout / origin, root / to)
    run(root, PROGRAM, "import", site.kind)
    (root / "tools").mkdir(exist_ok=True)
    shutil.copy(HOOKS / site.hook, root / "tools" / site.hook)
    config = (root / "kahnd.toml").read_text()
    config = re.sub(r"^before = .*\n", "", config, flags=re.MULTILINE)
    before = f'templating = false\nbefore = "tools/{site.hook}:expand"'
    config = config.replace("templating = false", before, 1)
    config = config.replace('"theme"]', "".join(f'"{each}", ' for each in site.sources) + '"theme"]', 1)
    (root / "kahnd.toml").write_text(config)
    return sum(bool(line.strip()) for line in (HOOKS / site.hook).read_text().splitlines())


def look(root: Path, answer: dict[str, list[dict[str, str]]]) -> dict[str, int]:
    """Counts pages, failures and links in what was built."""
    built = root / "site"
    pages = sorted(built.rglob("*.html"))
    told = "\n".join(each["message"] for each in answer["warnings"])
    dead, sources = [], 0
    for page in pages:
        for link in Links(page.read_text()).found:
            url = urlsplit(link)
            if url.scheme or url.netloc or not url.path or url.path.startswith("/"):
                continue
            target = page.parent / unquote(url.path)
            sources += url.path.endswith(".md")
            if not (target.is_file() or (target / "index.html").is_file()) and link not in told:
                dead.append(f"{page.relative_to(built)}: {link}")
    for each in dead[:10]:
        print(f"  no warning told of {each}")
    return {
        "pages": len(pages),
        "failed": len(answer["failed"]) + len(answer["blocked"]),
        "links to .md left": sources,
        "links that lead nowhere, told of": sum("leads nowhere" in each["message"] for each in answer["warnings"]),
        "not told of": len(dead),
    }


@contextmanager
def daemon(root: Path) -> Iterator[Log]:
    """Runs kahnd in the project; the block is entered once it is quiet."""
    log = Log(root / ".kahnd" / "log" / "kahnd.jsonl")
    with background(root, [PROGRAM, "run"]) as process:
        until(lambda: log.quiet() or process.poll() is not None, "the daemon's first build has ended", limit_s=600)
        yield log


def by_kahnd(root: Path, site: Site, count: int) -> tuple[Edits, list[str]]:
    """Measures edits, and returns also what was rendered that does not show an edit, or the reverse."""
    graph = subprocess.run([PROGRAM, "graph", "--format", "json"], cwd=root, capture_output=True, check=True)
    outputs = {each["id"]: root / each["output"] for each in json.loads(graph.stdout)["nodes"] if each["output"]}
    chapter, page, faults = Chapter(root / site.chapter), root / "site" / site.output, list[str]()

    def edit(log: Log, mark: str, *, title: bool) -> float:
        log.rendered()
        seen = identity(page)
        began = chapter.save(mark, title=title)
        until(lambda: _is_new(page, seen) and mark in page.read_text(), f"{site.output} shows {mark}")
        took = (time.perf_counter() - began) * 1000
        time.sleep(0.3)
        until(log.quiet, "the daemon is quiet", pause_s=0.05)
        rendered = set(log.rendered())
        shown = {each for each, output in outputs.items() if output.is_file() and mark in _text(output)}
        faults.extend(f"{mark}: {each} is rendered and does not show it" for each in sorted(rendered - shown))
        faults.extend(f"{mark}: {each} is not rendered and shows it" for each in sorted(shown - rendered))
        print(f"  kahnd: {mark} in {took:.0f} ms, {len(rendered)} documents rendered")
        return took

    with daemon(root) as log:
        edit(log, "new-warmup", title=False)
        text = [edit(log, f"new-text-{number}", title=False) for number in range(count)]
        title = [edit(log, f"new-title-{number}", title=True) for number in range(3)]
        chapter.restore()
    return Edits(text, title), faults


def _is_new(page: Path, seen: Identity) -> bool:
    return identity(page) not in (None, seen)


def _text(path: Path) -> str:
    with suppress(UnicodeDecodeError):
        return path.read_text()
    return ""


def by_peer(peer: Peer, checkout: Path, root: Path, site: Site, count: int) -> Edits | str:
    """Measures the same edits, from the save until the server answers with them; or returns why it could not."""
    program = shutil.which(peer.words[0])
    if program is None:
        return f"no {peer.words[0]} here"
    shutil.copytree(checkout, root, ignore=shutil.ignore_patterns(".git", "target"))
    folder = root / peer.folder
    if peer.left_out:
        config = folder / peer.config
        config.write_text(peer.left_out.sub("", config.read_text()))
    port = free_port()
    url = f"http://127.0.0.1:{port}/{peer.page}"
    os.environ["PYTHONPATH"] = str(root)  # FastAPI's documentation imports it
    words = [program, *(each.format(port=port) for each in peer.words[1:])]
    chapter = Chapter(folder / site.chapter)

    def edit(mark: str, *, title: bool) -> float:
        began = chapter.save(mark, title=title)
        until(lambda: mark in _fetched(url), f"{peer.name} shows {mark}", limit_s=300, pause_s=0.005)
        took = (time.perf_counter() - began) * 1000
        print(f"  {peer.name}: {mark} in {took:.0f} ms")
        time.sleep(1)
        return took

    try:
        with background(folder, words, root / "peer.log"):
            until(
                lambda: "<article" in _fetched(url) or "<main" in _fetched(url), "it serves", limit_s=600, pause_s=0.2
            )
            time.sleep(2)
            edit("new-warmup", title=False)
            text = [edit(f"new-text-{number}", title=False) for number in range(count)]
            return Edits(text, [edit(f"new-title-{number}", title=True) for number in range(min(3, count))])
    except WrongError as error:
        return f"{error}"
    finally:
        del os.environ["PYTHONPATH"]


def _fetched(url: str) -> str:
    with suppress(OSError, ValueError), urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own
        text: str = answer.read().decode(errors="replace")
        return text
    return ""


def measure(site: Site, checkout: Path, place: Path, count: int) -> tuple[list[str], list[str]]:
    """Builds and edits a site with kahnd and its peers; returns the lines of a table, and the faults."""
    root = place / site.kind
    root.mkdir()
    lines = prepare(site, checkout, root)
    began = time.perf_counter()
    built = subprocess.run([PROGRAM, "build", "--json"], cwd=root, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    counted = look(root, json.loads(built.stdout))
    print(f"{site.name}: built in {took:.1f} s, with a hook of {lines} lines")
    print(*(f"  {name}: {number}" for name, number in counted.items()), sep="\n")
    edits, faults = by_kahnd(root, site, count)
    wrong = (name for name in ("failed", "links to .md left", "not told of") if counted[name])
    faults += [f"{name}: {counted[name]}" for name in wrong]
    faults += [f"the hook has {lines} lines"] if lines > MOST_HOOK_LINES else []
    rows = [row(site, "kahnd", edits)]
    for peer in site.peers:
        found = by_peer(peer, checkout, place / peer.name.replace(" ", "-"), site, max(2, count // 4))
        rows.append(row(site, peer.name, found))
    return rows, [f"{site.name}: {each}" for each in faults]


def row(site: Site, tool: str, found: Edits | str) -> str:
    """Returns a line of the table."""
    if isinstance(found, str):
        return f"| {site.name} | {tool} | {found} | |"
    return f"| {site.name} | {tool} | {shown(found.text)} | {shown(found.title)} |"


def shown(values: Sequence[float]) -> str:
    """Returns a median with its spread."""
    return f"{statistics.median(values):,.0f} ms ({min(values):,.0f}-{max(values):,.0f} of {len(values)})"


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--book", type=Path, help="a checkout of github.com/rust-lang/book")
    parser.add_argument("--fastapi", type=Path, help="a checkout of github.com/fastapi/fastapi")
    parser.add_argument("--peers", type=Path, help="a folder with mdbook, zensical and mkdocs")
    parser.add_argument("--edits", type=int, default=20)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if arguments.peers:
        os.environ["PATH"] = f"{arguments.peers.resolve()}{os.pathsep}{os.environ['PATH']}"
    rows, faults = list[str](), list[str]()
    before = os.getloadavg()[0]
    given: list[tuple[Site, Path | None]] = [(BOOK, arguments.book), (FASTAPI, arguments.fastapi)]
    with tempfile.TemporaryDirectory(prefix="kahnd-sites-") as place:
        for site, checkout in given:
            if checkout:
                more, wrong = measure(site, checkout.resolve(), Path(place), arguments.edits)
                rows, faults = [*rows, *more], [*faults, *wrong]
    print(f"\n{machine.machine()}; the load was {before:.1f} before and {os.getloadavg()[0]:.1f} after.\n")
    print("| site | tool | text edit to page | title edit to page |\n| --- | --- | --- | --- |", *rows, sep="\n")
    print(*faults, sep="\n", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(_main())
