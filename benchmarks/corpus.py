"""A project of any size in four layers, the same from the same seed: what the measurements here are made on.

60 % of the documents are leaves, 30 % stand over two leaves each, 10 % over three of those each, and one index
over all the last. With `commands` each is a text that `cksum` renders together with what it needs; with `pages`
each is a Markdown page that includes what it needs, and the index links to the pages below it.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, get_args

Sort = Literal["commands", "pages"]
SORTS: Final[tuple[Sort, ...]] = get_args(Sort)

FOLDER_SIZE: Final = 500
"""So many documents share a folder, as in a project that people keep."""

_CONFIG: Final = """[project]
name = "corpus"
sources = ["docs"]

[[rules]]
"""
_RULE: Final[dict[Sort, str]] = {
    "commands": """match = "docs/**/*.txt"
renderer = "command"
command = ["cksum", "{source}", "{deps}"]
scan = ['needs (\\S+)']
stdout = true
output = "{dir}/{stem}.out"
""",
    "pages": """match = "docs/**/*.md"
renderer = "page"
output = "{dir}/{stem}.out"
""",
}
_ENDING: Final[dict[Sort, str]] = {"commands": "txt", "pages": "md"}
_INDEX: Final = "docs/index"


@dataclass(frozen=True)
class Corpus:
    """A written corpus: for every document, in an order that has each after what it needs, those it needs."""

    root: Path
    sort: Sort
    needs: dict[str, tuple[str, ...]]

    @property
    def leaves(self) -> list[str]:
        """The documents that need nothing and are needed all the way up to the index."""
        bottom = [document for document, needed in self.needs.items() if not needed]
        return [leaf for leaf in bottom if any(each.startswith(_INDEX) for each in self.affected_by(leaf))]

    @cached_property
    def _dependents(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for document, needed in self.needs.items():
            for each in needed:
                found[each].append(document)
        return found

    def affected_by(self, document: str) -> frozenset[str]:
        """The document and its transitive dependents: what an edit of it must render, and no other."""
        reached, ahead = {document}, [document]
        while ahead:
            new = set(self._dependents[ahead.pop()]) - reached
            reached |= new
            ahead.extend(new)
        return frozenset(reached)

    def output_of(self, document: str) -> Path:
        """Where a document's rendering lies."""
        return (self.root / "site" / Path(document).relative_to("docs")).with_suffix(".out")

    def edit(self, document: str, mark: str) -> None:
        """Save a document with a line more that was never there, as editors do: a new file, renamed into place."""
        path, fresh = self.root / document, self.root / "being-saved"
        fresh.write_text(f"{path.read_text()}\nedited {mark}\n")
        fresh.replace(path)


def write(root: Path, documents: int = 10_000, seed: int = 1, sort: Sort = "commands") -> Corpus:
    """Write a corpus of so many documents (the index among them) with its `kahnd.toml` into an empty folder."""
    chance = random.Random(seed)  # noqa: S311 - dice that fall the same way each time
    needs = _needs(documents, chance, _ENDING[sort])
    for document, needed in needs.items():
        path = root / document
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(document, needed, chance, sort))
    (root / "kahnd.toml").write_text(_CONFIG + _RULE[sort])
    return Corpus(root, sort, needs)


def _needs(documents: int, chance: random.Random, ending: str) -> dict[str, tuple[str, ...]]:
    counts = {"leaf": documents * 6 // 10, "mid": documents * 3 // 10}
    counts["top"] = documents - 1 - sum(counts.values())
    names = {layer: [_name(layer, number, ending) for number in range(count)] for layer, count in counts.items()}
    if not names["top"] or len(names["mid"]) < 3:  # noqa: PLR2004 - a top stands over three
        raise SystemExit("a corpus has ten documents at least")
    needs: dict[str, tuple[str, ...]] = dict.fromkeys(names["leaf"], ())
    needs |= {name: tuple(chance.sample(names["leaf"], 2)) for name in names["mid"]}
    needs |= {name: tuple(chance.sample(names["mid"], 3)) for name in names["top"]}
    return needs | {f"{_INDEX}.{ending}": tuple(names["top"])}


def _name(layer: str, number: int, ending: str) -> str:
    return f"docs/{layer}/{number // FOLDER_SIZE:03}/{layer}{number:06}.{ending}"


def _text(document: str, needed: tuple[str, ...], chance: random.Random, sort: Sort) -> str:
    words = " ".join(f"{chance.randrange(1 << 32):x}" for _ in range(60))
    if sort == "commands":
        return "".join(f"needs /{each}\n" for each in needed) + f"{document} {words}\n"
    links = document.startswith(_INDEX)
    body = "\n".join(f'- <{{{{ output("/{each}") }}}}>' if links else f'{{% include "/{each}" %}}' for each in needed)
    return f"# {Path(document).stem}\n\n{words}\n\n{body}\n"


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sort", choices=SORTS, default="commands")
    given = parser.parse_args()
    corpus = write(given.folder, given.documents, given.seed, given.sort)
    print(f"{len(corpus.needs)} documents in {given.folder}")


if __name__ == "__main__":
    _main()
