"""The output paths of the builders, and the inputs of `cksum`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from suite.corpora.corpus import Corpus

FOLDER: Final = "out"


def output_name(document: str) -> str:
    """Returns the output path of a document, relative to the corpus."""
    return f"{FOLDER}/{Path(document).stem}.out"


def inputs_of(corpus: Corpus, document: str) -> str:
    """Returns the files that `cksum` reads for a document."""
    return " ".join((document, *map(output_name, corpus.needs[document])))
