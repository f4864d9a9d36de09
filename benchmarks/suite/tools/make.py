"""GNU make, on the command corpora."""

from __future__ import annotations

import os
from pathlib import Path

from suite.corpora.corpus import Corpus
from suite.tools.layout import FOLDER, inputs_of, output_name
from suite.tools.tool import first_line, missing


class Make:
    """Runs as many commands at once as there are cores, without make's built-in rules."""

    name = "make"
    exact = True
    words: tuple[str, ...] = ("make", "-rRs", f"-j{os.cpu_count()}")

    def absent(self) -> str:
        return missing("make")

    def version(self) -> str:
        return first_line("make", "--version")

    def prepare(self, corpus: Corpus) -> None:
        (corpus.root / FOLDER).mkdir(exist_ok=True)
        outputs = " ".join(map(output_name, corpus.needs))
        rules = [f"{output_name(each)}: {inputs_of(corpus, each)}\n\tcksum $^ > $@\n" for each in corpus.needs]
        (corpus.root / "Makefile").write_text(f".SUFFIXES:\nall: {outputs}\n" + "".join(rules))

    def output(self, corpus: Corpus, document: str) -> Path:
        return corpus.root / output_name(document)
