"""A written project: its documents, what each needs, and how somebody saves one."""

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
"""So many documents share a folder, as in a project that people keep."""


@dataclass(frozen=True)
class Corpus:
    """For every document, in an order that has each after what it needs, those it needs.

    A document in `plain` is needed by others, and has no output of its own. `ending` is that of the outputs' names.
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
        """A document's output, relative to the output folder."""
        return str(Path(document).relative_to("docs").with_suffix("")) + self.ending

    @cached_property
    def _dependents(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for document, needed in self.needs.items():
            for each in needed:
                found[each].append(document)
        return found

    def affected_by(self, *documents: str) -> frozenset[str]:
        """What a save of these must render, and no other: they themselves and their transitive dependents."""
        reached, ahead = set(documents), list(documents)
        while ahead:
            new = set(self._dependents.get(ahead.pop(), ())) - reached
            reached |= new
            ahead.extend(new)
        return frozenset(reached) - self.plain

    def affecting(self, count: int) -> list[str]:
        """The leaves whose save affects so many documents; where there are none, those that come nearest."""
        sizes = {leaf: len(self.affected_by(leaf)) for leaf, needed in self.needs.items() if not needed}
        nearest = min(abs(size - count) for size in sizes.values())
        return [leaf for leaf, size in sizes.items() if abs(size - count) == nearest]

    def save(self, document: str, mark: str) -> None:
        """Save a document with a line more that was never there; in place, since entr is slow with replaced files."""
        with (self.root / document).open("a") as file:
            file.write(f"\nedited {mark}\n")


def replace(path: Path, text: str) -> None:
    """Save a file as editors do: a new one, renamed into place; it is written out of everybody's sight."""
    with tempfile.NamedTemporaryFile("w", delete=False) as fresh:
        fresh.write(text)
    Path(fresh.name).replace(path)


def dice(seed: int = SEED) -> random.Random:
    """Dice that fall the same way each time."""
    return random.Random(seed)  # noqa: S311 - no secret hangs on them


def numbered(layer: str, count: int, ending: str) -> list[str]:
    """Names for so many documents."""
    return [f"docs/{layer}/{number // FOLDER_SIZE:03}/{layer}{number:06}.{ending}" for number in range(count)]


def put(root: Path, texts: Iterable[tuple[str, str]]) -> None:
    """Write files below a folder."""
    folders = set[Path]()
    for name, text in texts:
        path = root / name
        if path.parent not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.add(path.parent)
        path.write_text(text)


def words(chance: random.Random, count: int) -> str:
    """So many words that compress no better than prose."""
    return " ".join(f"{chance.randrange(1 << 32):x}" for _ in range(count))
