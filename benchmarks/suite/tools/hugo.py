"""Hugo: its build, and its server's incremental builds, written to the disk as kahnd's are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.corpora.corpus import Corpus
from suite.file_changes import until
from suite.tools.tool import Watch, background, first_line, missing


class Hugo:
    """Fulfils Tool, for the page corpora written for Hugo. `options` are for its server.

    By default, after a change of a template or shortcode, the server renders only pages that were requested before.
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
        """Does nothing: a site is written with its `config.toml`."""

    @contextmanager
    def watch(self, corpus: Corpus) -> Iterator[Watch]:
        output = corpus.root.with_name(f"{corpus.root.name}.output")
        words = ["hugo", "server", *self._options, "--renderToDisk", "--port", str(free_port())]
        with background(corpus.root, words, output) as process:
            until(lambda: "Press Ctrl+C" in output.read_text(), "Hugo serves", pause_s=0.05)
            # Every rebuild begins with one of these lines and ends with the other.
            yield Watch(process.pid, lambda: _count(output, "Change detected") <= _count(output, "Total in"))

    def output(self, corpus: Corpus, document: str) -> Path:
        return corpus.root / "public" / corpus.place(document)


def _count(output: Path, words: str) -> int:
    return output.read_text().count(words)


def free_port() -> int:
    """Returns a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
