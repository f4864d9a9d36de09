"""Runs a recorded failure again: `python -m agreement.replay FILE [TIMES]`, in `tests/`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agreement.trial import History, Tally, Trial


def load(path: Path) -> History:
    """Returns the history in a failure's file."""
    return msgspec.json.decode(path.read_bytes(), type=History)


@dataclass
class Keeper:
    """Records the shortest failure in a file while Hypothesis shrinks it."""

    path: Path
    failures: int = 0
    told: list[str] = field(default_factory=list)
    _size: tuple[int, int] = field(default=(sys.maxsize, 0))

    def __call__(self, history: History, error: Exception) -> None:
        """Records this failure if none is shorter."""
        content = msgspec.json.format(msgspec.json.encode(history))
        size = (len(history.steps), len(content))
        self.failures += 1
        self.told.append(str(error))
        if size < self._size:
            self._size = size
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(content)
        error.add_note(f"the shortest so far: cd tests && python -m agreement.replay {self.path}")


def replay(history: History, root: Path, say: Callable[[str], None]) -> None:
    """Performs every step again. Raises the error of the failure."""
    trial = Trial(root, history.tree, Tally())
    trial.begin()
    try:
        for step in history.steps[1:]:
            say(msgspec.json.encode(step).decode())
            trial.perform(step)
        trial.compare_with_fresh()
    finally:
        trial.end()


def main(file: str, times: str = "1") -> None:
    """Replays a file."""
    for _ in range(int(times)):
        with tempfile.TemporaryDirectory() as folder:
            replay(load(Path(file)), Path(folder) / "project", print)


if __name__ == "__main__":
    main(*sys.argv[1:])
