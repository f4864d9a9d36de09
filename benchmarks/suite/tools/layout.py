"""Where the builders put their outputs, and what `cksum` is given."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from suite.corpora.corpus import Corpus

FOLDER: Final = "out"


def output_name(document: str) -> str:
    """Where these put a document's rendering, relative to the corpus."""
    return f"{FOLDER}/{Path(document).stem}.out"


def inputs_of(corpus: Corpus, document: str) -> str:
    """What `cksum` reads for a document."""
    return " ".join((document, *map(output_name, corpus.needs[document])))
