"""A storm of file operations, faster than any watch can follow, after which the outputs must equal a fresh build's.

`python tests/faults/storm.py` runs the full form and prints one JSON line; `make reliability` calls it.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from e2e.harness import Daemon, Project
from e2e.rules import COPIES, TEXTS
from faults.event_overflow import flood, stopped

STILL_SHARE: Final = 0.3
"""The share of operations made while the daemon is stopped."""
OPERATIONS: Final = (
    ("write", 40),
    ("append", 15),
    ("replace", 20),
    ("remove", 12),
    ("rename", 10),
    ("touch", 2),
    ("rename_folder", 0.6),
    ("remove_folder", 0.3),
    ("bring_folder", 0.1),
)


@dataclass(frozen=True)
class Size:
    """The sizes of a storm."""

    operations: int
    files: int
    folders: int


@dataclass
class Tally:
    """The result. `lost` are outputs that differ from a fresh build's, or are missing or superfluous."""

    operations: int = 0
    overflows: int = 0
    runs: int = 0
    lost: int = 0


class Storm:
    """Changes files at random, in every way there is."""

    def __init__(self, docs: Path, size: Size, seed: int) -> None:
        self._docs = docs
        self._size = size
        self._chance = random.Random(seed)  # noqa: S311  a replayable one is wanted
        self._names, self._weights = zip(*OPERATIONS, strict=True)

    def fill(self) -> None:
        """Writes all files."""
        for number in range(self._size.files):
            file = self._file(number)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._text(file))

    def run(self, operations: int) -> None:
        """Performs this many operations as fast as possible, and skips those that fail."""
        for name in self._chance.choices(self._names, self._weights, k=operations):
            with suppress(OSError):
                getattr(self, f"_{name}")()

    def _folder(self, number: int) -> Path:
        """Returns a folder; every third lies in another."""
        return self._docs / (f"{number - 1}/{number}" if number % 3 == 1 else f"{number}")

    def _file(self, number: int) -> Path:
        """Returns a file; one in ten is a template that includes another."""
        return self._folder(number % self._size.folders) / f"{number}.{'bin' if number % 10 else 'txt'}"

    def _any(self) -> Path:
        return self._file(self._chance.randrange(self._size.files))

    def _any_folder(self) -> Path:
        return self._folder(self._chance.randrange(self._size.folders))

    def _text(self, file: Path) -> str:
        if file.suffix == ".bin":
            return f"{self._chance.random()}\n"
        included = self._chance.randrange(self._size.files)
        inner = self._file(included - included % 10 + 1).relative_to(self._docs)
        return f"{self._chance.random()}\n{{% include '/docs/{inner}' ignore missing %}}\n"

    def _write(self) -> None:
        file = self._any()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self._text(file))

    def _append(self) -> None:
        with self._any().open("a") as appended:
            appended.write("more\n")

    def _replace(self) -> None:
        file = self._any()
        fresh = file.with_name(f".{file.name}.tmp")
        fresh.write_text(self._text(file))
        fresh.replace(file)

    def _remove(self) -> None:
        self._any().unlink()

    def _rename(self) -> None:
        self._any().rename(self._any())

    def _touch(self) -> None:
        self._any().touch(exist_ok=False)

    def _rename_folder(self) -> None:
        self._any_folder().rename(self._any_folder())

    def _remove_folder(self) -> None:
        shutil.rmtree(self._any_folder())

    def _bring_folder(self) -> None:
        shutil.copytree(self._any_folder(), self._any_folder(), dirs_exist_ok=True)


def storm_over(project: Project, size: Size, runs: int, seed: int) -> Iterator[Tally]:
    """Runs one daemon through this many storms, and yields the tally after each."""
    project.configure(COPIES, TEXTS)
    project.path("docs").mkdir()
    storm = Storm(project.path("docs"), size, seed)
    tally = Tally()
    with project.daemon() as daemon:
        storm.fill()
        for _ in range(runs):
            _blow(storm, daemon, size)
            project.wait(code=None, within_s=600)
            tally.runs += 1
            tally.operations += size.operations
            tally.overflows = project.status()["watch"]["overflows"]
            tally.lost += _differences(project)
            yield tally


def _blow(storm: Storm, daemon: Daemon, size: Size) -> None:
    still = int(size.operations * STILL_SHARE)
    storm.run((size.operations - still) // 2)
    with stopped(daemon.pid):
        flood(daemon.project.path("docs"))
        storm.run(still)
    storm.run(size.operations - still - (size.operations - still) // 2)


def _differences(project: Project) -> int:
    copy = project.fresh_copy()
    copy.kahnd("build", "--json", code=None, within_s=600)
    found, expected = project.outputs(), copy.outputs()
    return sum(found.get(name) != expected.get(name) for name in found.keys() | expected.keys())


def main() -> int:
    """Runs with the command line's arguments; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folders", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    size = Size(words.operations, words.files, words.folders)
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        for tally in storm_over(Project(Path(folder) / "project"), size, words.runs, words.seed):
            print(tally, file=sys.stderr)  # noqa: T201  progress
    print(json.dumps(asdict(tally) | {"seed": words.seed}))  # noqa: T201  what it is for
    return 1 if tally.lost else 0


if __name__ == "__main__":
    sys.exit(main())
