"""Ninja, on the command corpora."""

from __future__ import annotations

from pathlib import Path

from suite.corpora.corpus import Corpus
from suite.tools.layout import inputs_of, output_name
from suite.tools.tool import first_line, missing


class Ninja:
    """Runs as many commands at once as ninja chooses: some more than there are cores."""

    name = "ninja"
    exact = True
    words: tuple[str, ...] = ("ninja", "--quiet")

    def absent(self) -> str:
        return missing("ninja")

    def version(self) -> str:
        return f"ninja {first_line('ninja', '--version')}"

    def prepare(self, corpus: Corpus) -> None:
        lines = [f"build {output_name(each)}: sum {inputs_of(corpus, each)}\n" for each in corpus.needs]
        (corpus.root / "build.ninja").write_text("rule sum\n  command = cksum $in > $out\n" + "".join(lines))

    def output(self, corpus: Corpus, document: str) -> Path:
        return corpus.root / output_name(document)
