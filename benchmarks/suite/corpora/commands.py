"""Documents in four layers that `cksum` renders, each together with the outputs of what it needs.

60 % are leaves, 30 % stand over two leaves each, and the tops over three of those each. Then, in the shape `index`,
one index stands over all tops, so that its own rendering grows with the project; in the shape `sections` there is an
index over every ten tops, so that the work of a save is the same whatever the size of the project.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from suite.corpora.corpus import Corpus, dice, numbered, put, words

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
    """Write a corpus of so many documents, the indexes among them (40 at least), into an empty folder."""
    chance = dice()
    needs = _needs(documents, shape)
    texts = {document: _text(document, needed, words(chance, 60)) for document, needed in needs.items()}
    put(root, texts.items())
    put(root, [("kahnd.toml", _CONFIG)])
    return Corpus(root, shape, needs)


def _needs(documents: int, shape: Shape) -> dict[str, tuple[str, ...]]:
    chance = dice()
    leaves = numbered("leaf", documents * 6 // 10, "txt")
    mids = numbered("mid", documents * 3 // 10, "txt")
    rest = documents - len(leaves) - len(mids)
    tops = numbered("top", rest - 1 if shape == "index" else rest * SECTION // (SECTION + 1), "txt")
    needs: dict[str, tuple[str, ...]] = dict.fromkeys(leaves, ())
    needs |= {name: tuple(chance.sample(leaves, 2)) for name in mids}
    needs |= {name: tuple(chance.sample(mids, 3)) for name in tops}
    return needs | _indexes(tops, rest - len(tops))


def _indexes(tops: list[str], count: int) -> dict[str, tuple[str, ...]]:
    """As many indexes, the tops dealt out among them."""
    return {name: tuple(tops[number::count]) for number, name in enumerate(numbered("index", count, "txt"))}


def _text(document: str, needed: tuple[str, ...], body: str) -> str:
    return "".join(f"needs /{each}\n" for each in needed) + f"{document} {body}\n"
