"""Runs a daemon under an edit every second, and checks that its resources and its latency stay flat.

`make soak MINUTES=30`, or `python -m soak.steady --minutes 30` in `tests/`. Writes its findings into the docs, and
exits with 1 if something is not flat, or an output differs from a fresh build's.
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
from soak.flatness import LEAST, findings
from soak.follower import Follower
from soak.report import HEADING, section
from soak.samples import Sample, sample
from soak.soak_project import SoakProject


@dataclass
class Soak:
    """A daemon on a project, with one edit after another. `kinds` counts the edits so far."""

    soak_project: SoakProject
    every_s: float
    edits_a_sample: int
    samples: list[Sample] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def run(self, samples: int) -> bool:
        """Runs for this many samples, and returns whether all outputs then equal a fresh build's.

        Raises WrongError if an edit does not have its effects in time.
        """
        self.soak_project.write()
        project = self.soak_project.project
        with project.daemon() as daemon:
            follower = Follower(project)
            while len(self.samples) < samples:
                took = [self._edit(follower) for _ in range(self.edits_a_sample)]
                known = [each for each in took if each is not None]
                self.samples.append(sample(daemon.pid, len(took), known))
                print(self.samples[-1], file=sys.stderr)  # noqa: T201  progress
            while not self.soak_project.is_intact:
                self._edit(follower)
        return project.outputs() == project.fresh_outputs()

    def _edit(self, follower: Follower) -> float | None:
        """Makes the next edit and waits for the rest of its period, if any is left."""
        began = time.monotonic()
        edit = self.soak_project.edit()
        self.kinds[edit.kind] += 1
        took = follower.follow(edit)
        time.sleep(max(0.0, began + self.every_s - time.monotonic()))
        return took


def main() -> int:
    """Runs with the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--every", type=float, default=1.0, help="seconds from one edit to the next")
    parser.add_argument("--sample", type=int, default=60, help="edits from one look to the next")
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE, help="where the figures are written")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak_project = SoakProject(Project(Path(folder) / "soak"), words.pages, words.seed)
        soak = Soak(soak_project, words.every, words.sample)
        matches = soak.run(max(LEAST, round(words.minutes * 60 / words.every / words.sample)))
    found = findings(soak.samples)
    text = section(soak.samples, soak.kinds, soak_project.documents, found, matches=matches)
    put(words.page, HEADING, text)
    print(text)  # noqa: T201  what it is for
    return 0 if matches and all(each.flat for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
