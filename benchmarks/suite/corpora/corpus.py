"""A project on the disk: its documents, their dependencies, and ways to save one."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

SEED: Final = 1
FOLDER_SIZE: Final = 500
"""The number of documents in a folder, as in projects that people keep."""


@dataclass(frozen=True)
class Corpus:
    """`needs` maps every document to its dependencies, in an order in which these come first.

    A document in `plain` is needed by others and has no output of its own. `ending` is the ending of outputs' names.
    """

    root: Path
    sort: str
    needs: Mapping[str, tuple[str, ...]]
    plain: frozenset[str] = frozenset()
    ending: str = ".out"

    @property
    def rendered(self) -> list[str]:
        """The documents that have an output."""
        return [document for document in self.needs if document not in self.plain]

    def place(self, document: str) -> str:
        """Returns the path of a document's output, relative to the output folder."""
        return str(Path(document).relative_to("docs").with_suffix("")) + self.ending

    @cached_property
    def _dependents(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for document, needed in self.needs.items():
            for each in needed:
                found[each].append(document)
        return found

    def affected_by(self, *documents: str) -> frozenset[str]:
        """Returns exactly the documents that a save of these must render: they and their transitive dependents."""
        reached, ahead = set(documents), list(documents)
        while ahead:
            new = set(self._dependents.get(ahead.pop(), ())) - reached
            reached |= new
            ahead.extend(new)
        return frozenset(reached) - self.plain

    def affecting(self, count: int) -> list[str]:
        """Returns the leaves whose save affects this many documents, or as nearly as many as there are."""
        sizes = {leaf: len(self.affected_by(leaf)) for leaf, needed in self.needs.items() if not needed}
        nearest = min(abs(size - count) for size in sizes.values())
        return [leaf for leaf, size in sizes.items() if abs(size - count) == nearest]

    def save(self, document: str, mark: str) -> None:
        """Appends a new line to a document. Writes it in place, since entr is slow with replaced files."""
        with (self.root / document).open("a") as file:
            file.write(f"\nedited {mark}\n")


def replace(path: Path, text: str) -> None:
    """Saves a file as editors do: writes a temporary file outside the project and renames it into place."""
    with tempfile.NamedTemporaryFile("w", delete=False) as fresh:
        fresh.write(text)
    Path(fresh.name).replace(path)


def seeded_random(seed: int = SEED) -> random.Random:
    """Returns a random generator with a fixed seed."""
    return random.Random(seed)  # noqa: S311 - no secret hangs on them


def numbered(layer: str, count: int, ending: str) -> list[str]:
    """Returns names for `count` documents."""
    return [f"docs/{layer}/{number // FOLDER_SIZE:03}/{layer}{number:06}.{ending}" for number in range(count)]


def put(root: Path, texts: Iterable[tuple[str, str]]) -> None:
    """Writes files below a folder."""
    folders = set[Path]()
    for name, text in texts:
        path = root / name
        if path.parent not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.add(path.parent)
        path.write_text(text)


def words(rng: random.Random, count: int) -> str:
    """Returns `count` random words, which compress no better than prose."""
    return " ".join(f"{rng.randrange(1 << 32):x}" for _ in range(count))
