"""Kills a daemon at random instants while it starts, builds and follows edits, and counts the damage.

    python tests/faults/crash_loop.py --kills 200 --seed 1

prints one line of JSON: `kills`, `restarts`, `lost` (outputs that were wrong once everything was rendered again, and
committed renders that a restart had forgotten) and `repeated` (renderings after a restart that had been committed
before it). Exits with 1 unless both are 0.

The right outputs are computed here from the sources alone, and compared with a fresh build at the end. A rendering is
repeated if it is a document's first after a restart, and its inputs are those with which its present output was
committed: no text ever returns to a former version.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import xxhash
from surrealdb import AsyncEmbeddedSurrealConnection

if __package__ in {None, ""}:  # when run as a script
    sys.path.insert(0, str(Path(__file__).parents[1]))

from e2e.harness import Project, eventually, living_in
from e2e.rules import SCAN, TEXTS, command, rule

SHEET_RULE: Final = rule(
    "docs/**/*.cat", "command", "{dir}/{stem}.out", command("cat", "{source}", "{deps}", stdout=True, more=SCAN)
)
NOTES: Final = tuple(f"docs/notes/{number:02}.txt" for number in range(12))
SHEETS: Final = tuple(f"docs/{number:02}.cat" for number in range(12))
PART: Final = "docs/_part.txt"
INDEX: Final = "docs/index.txt"
STARTING_S: Final = 2.5
"""Seconds from a daemon's start to its kill: from none to well after the first look."""
EDITING_S: Final = 0.4
SETTLED: Final = 0.5
"""The share of daemons that may catch up before they are killed."""
RENDERS: Final = "SELECT document, build, status, started_at, inputs_hash, output_hash FROM render"
REMOVED: Final = 0.3
"""The share of a note's edits that remove it."""


@dataclass
class Tally:
    """The result."""

    kills: int = 0
    restarts: int = 0
    rendered: int = 0
    lost: int = 0
    repeated: int = 0


@dataclass(frozen=True)
class Render:
    """A line of the job history."""

    document: str
    build: str
    status: str
    started_at: str
    inputs_hash: str | None = None
    output_hash: str | None = None


class Author:
    """Makes random edits, and knows the right outputs."""

    def __init__(self, project: Project, chance: random.Random) -> None:
        self._project = project
        self._chance = chance
        self._words = count(1)
        self._texts: dict[str, str] = {}
        project.configure(TEXTS, SHEET_RULE)
        project.write(INDEX, '{{ pages("notes/*.txt") | length }} notes')
        self.complete()

    def edit(self) -> None:
        """Saves a document, which may be new, or removes a note."""
        document = self._chance.choice((PART, *NOTES, *SHEETS))
        if document in NOTES and document in self._texts and self._chance.random() < REMOVED:
            del self._texts[document]
            self._project.remove(document)
        else:
            self._save(document)

    def complete(self) -> None:
        """Saves all documents that are missing."""
        for document in {PART, *NOTES, *SHEETS} - self._texts.keys():
            self._save(document)

    def expected(self) -> dict[str, bytes]:
        """Returns every output by its path in the output folder, without those of blocked documents."""
        texts = {each: self._note(each) for each in NOTES if each in self._texts}
        texts[INDEX] = f"{len(texts)} notes"
        texts |= {each: text for each in SHEETS if (text := self._sheet(each)) is not None}
        return {output_of(document): text.encode() for document, text in texts.items()}

    def blocked(self) -> set[str]:
        """Returns the outputs of documents with a missing dependency: their last good ones may stay."""
        return {output_of(each) for each in SHEETS if self._sheet(each) is None}

    def _save(self, document: str) -> None:
        word = f"{next(self._words)}"
        if document in NOTES:
            text = f'{word} {{% include "/{PART}" %}}'
        elif document in SHEETS:
            text = f"{word}\n" + "".join(f"needs /{each}\n" for each in _needs(document))
        else:
            text = word
        self._texts[document] = text
        self._project.write(document, text)

    def _note(self, document: str) -> str:
        return self._texts[document].replace(f'{{% include "/{PART}" %}}', self._texts[PART])

    def _sheet(self, document: str) -> str | None:
        """Returns its own text and its dependencies' in order; None if one is missing."""
        parts: list[str] = [self._texts[document]]
        for need in _needs(document):
            part = self._sheet(need) if need in SHEETS else self._note(need) if need in self._texts else None
            if part is None:
                return None
            parts.append(part)
        return "".join(parts)


def _needs(sheet: str) -> list[str]:
    """Returns its dependencies: the document before it, in chains of four, and a note."""
    number = SHEETS.index(sheet)
    return ([SHEETS[number - 1]] if number % 4 else []) + [NOTES[number]]


class CrashLoop:
    """One project with one daemon after another."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311  nothing is kept secret by it
        self._project = Project(folder / "project")
        self._author = Author(self._project, self._chance)
        self._known: set[Render] = set()
        self._standing: dict[str, str | None] = {}
        self.tally = Tally()

    def run(self, kills: int) -> Tally:
        """Kills this many daemons; then stops the last one and compares with a fresh build."""
        while self.tally.kills < kills:
            self._round()
            self.tally.kills += 1
            self._take_stock()
        self._author.complete()
        with self._project.daemon():
            self._settle()
        self.tally.restarts += 1
        self._take_stock()
        self.tally.lost += len(_differences(self._project.outputs(), self._project.fresh_outputs()))
        return self.tally

    def _round(self) -> None:
        """Runs one daemon for some edits, counted from its start or from when it has caught up."""
        mark = self._project.mark()
        process = self._project.begin("run", stdout=subprocess.DEVNULL)
        try:
            self.tally.restarts += bool(self.tally.kills)
            if self._chance.random() < SETTLED:
                eventually(lambda: self._project.log("daemon.started", mark), "the daemon starts")
                self._settle()
                self._edit_for(self._chance.uniform(0, EDITING_S), pause_s=0.02)
            else:
                self._edit_for(self._chance.uniform(0, STARTING_S), pause_s=0.2)
        finally:
            process.kill()
            process.wait()
        eventually(lambda: not living_in(self._project.root), "what the killed daemon left behind ends")

    def _settle(self) -> None:
        """Checks that every edit is rendered and right."""
        self._project.wait(code=None)
        expected, found = self._author.expected(), self._project.outputs()
        told = {name: content for name, content in found.items() if name not in self._author.blocked()}
        self.tally.lost += len(_differences(told, expected))

    def _edit_for(self, seconds: float, pause_s: float) -> None:
        """Makes edits until the kill is due."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._author.edit()
            time.sleep(min(left, self._chance.uniform(0, 2 * pause_s)))

    def _take_stock(self) -> None:
        """Compares the committed history with the one that the last daemon left when it was killed."""
        found = set(_history(self._project))
        fresh = sorted((each for each in found - self._known if each.status == "DONE"), key=_by_time)
        first = {each.document: each for each in reversed(fresh)}
        self.tally.rendered += len(fresh)
        self.tally.lost += len(self._known - found)
        self.tally.repeated += sum(self._standing.get(name) == each.inputs_hash for name, each in first.items())
        self._known = found
        self._standing = self._in_place(found)

    def _in_place(self, renders: Iterable[Render]) -> dict[str, str | None]:
        """Returns the inputs hash of each document whose output is its last committed render: none is due."""
        last = {each.document: each for each in sorted(renders, key=_by_time) if each.output_hash}
        hashes = {name: xxhash.xxh3_128_hexdigest(content) for name, content in self._project.outputs().items()}
        return {
            name: each.inputs_hash for name, each in last.items() if hashes.get(output_of(name)) == each.output_hash
        }


def _by_time(render: Render) -> str:
    return render.started_at


def output_of(document: str) -> str:
    """Returns a document's path in the output folder."""
    return document.removeprefix("docs/").replace(".cat", ".out")


def _differences(found: Mapping[str, bytes], expected: Mapping[str, bytes]) -> list[str]:
    names = found.keys() | expected.keys()
    return [name for name in names if found.get(name) != expected.get(name)]


def _history(project: Project) -> list[Render]:
    """Returns the job history from a copy of the database that a killed daemon left."""
    database = project.path(".kahnd/db")
    if not database.exists():
        return []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "db"
        shutil.copytree(database, copy)
        return asyncio.run(_renders(copy))


async def _renders(database: Path) -> list[Render]:
    connection = AsyncEmbeddedSurrealConnection(f"surrealkv://{database}")
    await connection.connect()
    await connection.use("kahnd", "kahnd")
    answer = await connection.query_raw(RENDERS)
    await connection.close()
    rows: Any = answer["result"][0]["result"]
    return [Render(**row) for row in rows] if isinstance(rows, list) else []  # text: no tables yet


def main() -> int:
    """Runs with the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = CrashLoop(Path(folder), words.seed).run(words.kills)
    print(json.dumps(asdict(tally) | {"seed": words.seed}))  # noqa: T201  what it is for
    return 1 if tally.lost or tally.repeated else 0


if __name__ == "__main__":
    sys.exit(main())
