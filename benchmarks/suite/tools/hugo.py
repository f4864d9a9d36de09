"""Hugo: its build, and its server's incremental builds, written to the disk as kahnd's are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.corpora.corpus import Corpus
from suite.look import until
from suite.tools.tool import Watch, background, first_line, missing


class Hugo:
    """Fulfils Tool, for the page corpora in Hugo's spelling. `options` are for its server.

    By itself that renders, of what a template or a shortcode changes, only pages that somebody looked at.
    """

    name = "Hugo"
    exact = False
    words: tuple[str, ...] = ("hugo", "--quiet")

    def __init__(self, *options: str) -> None:
        self._options = options

    def absent(self) -> str:
        return missing("hugo")

    def version(self) -> str:
        return " ".join(first_line("hugo", "version").split()[:2])

    def prepare(self, corpus: Corpus) -> None:
        """A site is written with its `config.toml`."""

    @contextmanager
    def watch(self, corpus: Corpus) -> Iterator[Watch]:
        told = corpus.root.with_name(f"{corpus.root.name}.told")
        words = ["hugo", "server", *self._options, "--renderToDisk", "--port", str(_free_port())]
        with background(corpus.root, words, told) as process:
            until(lambda: "Press Ctrl+C" in told.read_text(), "Hugo serves", pause_s=0.05)
            # Every rebuild begins with one of these lines and ends with the other.
            yield Watch(process.pid, lambda: _count(told, "Change detected") <= _count(told, "Total in"))

    def output(self, corpus: Corpus, document: str) -> Path:
        return corpus.root / "public" / corpus.place(document)


def _count(told: Path, words: str) -> int:
    return told.read_text().count(words)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
