"""Tup, on the command corpora: it both builds and watches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.corpora.corpus import Corpus
from suite.file_changes import until
from suite.processes import family
from suite.tools.layout import inputs_of, output_name
from suite.tools.tool import Watch, background, first_line, missing, run


class Tup:
    """It needs FUSE to see which files commands read."""

    name = "tup"
    exact = True
    words: tuple[str, ...] = ("tup", "upd", "--quiet")

    def absent(self) -> str:
        return missing("tup", "fusermount3") or ("" if os.access("/dev/fuse", os.W_OK) else "no FUSE here")

    def version(self) -> str:
        return first_line("tup", "--version")

    def prepare(self, corpus: Corpus) -> None:
        rules = [f": {inputs_of(corpus, each)} |> cksum %f > %o |> {output_name(each)}\n" for each in corpus.needs]
        (corpus.root / "Tupfile").write_text("".join(rules))
        if not (corpus.root / ".tup").exists():
            run(corpus.root, "tup", "init", ".")

    @contextmanager
    def watch(self, corpus: Corpus) -> Iterator[Watch]:
        output = corpus.root.with_name(f"{corpus.root.name}.output")
        with background(corpus.root, ["tup", "monitor", "-f", "-a"], output) as process:
            until(lambda: "Initialized" in output.read_text(), "tup watches")
            yield Watch(process.pid, lambda: family(process.pid) == [process.pid])

    def output(self, corpus: Corpus, document: str) -> Path:
        return corpus.root / output_name(document)
