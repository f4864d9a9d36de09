"""A daemon under an edit every second, for as long as one likes: what it takes, and how soon it answers, must be flat.

`make soak MINUTES=30`, or `python -m soak.steady --minutes 30` in `tests/`. Writes what it found into the docs, and
ends with 1 where something is not flat, or an output is not a fresh build's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from e2e.harness import Project
from faults.reliability import PAGE, put
from soak.follower import Follower
from soak.garden import Garden
from soak.gauge import Sample, sample
from soak.report import HEADING, section
from soak.verdict import LEAST, findings


@dataclass
class Soak:
    """A daemon on a garden, one edit after another; `samples` are the looks at it so far, `kinds` the edits."""

    garden: Garden
    every_s: float
    edits_a_sample: int
    samples: list[Sample] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def run(self, samples: int) -> bool:
        """Until there are so many samples; whether all outputs are then a fresh build's.

        Raises WrongError where an edit does not come to what it must in time.
        """
        self.garden.plant()
        project = self.garden.project
        with project.daemon() as daemon:
            follower = Follower(project)
            while len(self.samples) < samples:
                took = [self._edit(follower) for _ in range(self.edits_a_sample)]
                known = [each for each in took if each is not None]
                self.samples.append(sample(daemon.pid, len(took), known))
                print(self.samples[-1], file=sys.stderr)  # noqa: T201  progress
            while not self.garden.whole:
                self._edit(follower)
        return project.outputs() == project.fresh_outputs()

    def _edit(self, follower: Follower) -> float | None:
        """The next edit, and the rest of its period: an edit that takes longer is followed at once."""
        began = time.monotonic()
        edit = self.garden.edit()
        self.kinds[edit.kind] += 1
        took = follower.follow(edit)
        time.sleep(max(0.0, began + self.every_s - time.monotonic()))
        return took


def main() -> int:
    """Run as the words say."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=1.0, help="seconds from one edit to the next")
    parser.add_argument("--sample", type=int, default=60, help="edits from one look to the next")
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE, help="where the figures are written")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        garden = Garden(Project(Path(folder) / "garden"), words.pages, words.seed)
        soak = Soak(garden, words.every, words.sample)
        whole = soak.run(max(LEAST, round(words.minutes * 60 / words.every / words.sample)))
    found = findings(soak.samples)
    text = section(soak.samples, soak.kinds, garden.documents, found, whole=whole)
    put(words.page, HEADING, text)
    print(text)  # noqa: T201  what it is for
    return 0 if whole and all(each.flat for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
