"""Documents in four layers that `cksum` renders, each together with the outputs of its dependencies.

60 % are leaves, 30 % need two leaves each, and the tops need three of those each. In the shape `index`, one index needs
all tops, so that its own rendering grows with the project. In the shape `sections`, there is an index for every ten
tops, so that the work of a save is the same at every size of the project.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from suite.corpora.corpus import Corpus, numbered, put, seeded_random, words

Shape = Literal["index", "sections"]

SECTION: Final = 10
_CONFIG: Final = """[project]
name = "corpus"
sources = ["docs"]

[[rules]]
match = "docs/**/*.txt"
renderer = "command"
command = ["cksum", "{source}", "{deps}"]
scan = ['needs (\\S+)']
stdout = true
output = "{dir}/{stem}.out"
"""


def write(root: Path, documents: int, shape: Shape) -> Corpus:
    """Writes a corpus into an empty folder; `documents` includes the indexes and is at least 40."""
    rng = seeded_random()
    needs = _needs(documents, shape)
    texts = {document: _text(document, needed, words(rng, 60)) for document, needed in needs.items()}
    put(root, texts.items())
    put(root, [("kahnd.toml", _CONFIG)])
    return Corpus(root, shape, needs)


def _needs(documents: int, shape: Shape) -> dict[str, tuple[str, ...]]:
    rng = seeded_random()
    leaves = numbered("leaf", documents * 6 // 10, "txt")
    mids = numbered("mid", documents * 3 // 10, "txt")
    rest = documents - len(leaves) - len(mids)
    tops = numbered("top", rest - 1 if shape == "index" else rest * SECTION // (SECTION + 1), "txt")
    needs: dict[str, tuple[str, ...]] = dict.fromkeys(leaves, ())
    needs |= {name: tuple(rng.sample(leaves, 2)) for name in mids}
    needs |= {name: tuple(rng.sample(mids, 3)) for name in tops}
    return needs | _indexes(tops, rest - len(tops))


def _indexes(tops: list[str], count: int) -> dict[str, tuple[str, ...]]:
    """Returns `count` indexes with the tops distributed among them."""
    return {name: tuple(tops[number::count]) for number, name in enumerate(numbered("index", count, "txt"))}


def _text(document: str, needed: tuple[str, ...], body: str) -> str:
    return "".join(f"needs /{each}\n" for each in needed) + f"{document} {body}\n"
