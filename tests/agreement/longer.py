"""Checks the property for any length of time with new projects, and writes the result into the docs.

`make agreement MINUTES=30`, or `python -m agreement.longer --minutes 30` in `tests/`. Exits with 1 if it found a
failure; the shortest one is in the file that it names, for `agreement.replay`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hypothesis.errors import HypothesisWarning

from agreement.replay import Keeper
from agreement.state_machine import run
from agreement.trial import Tally
from faults.reliability import PAGE, put

HEADING: Final = "## Random projects"
PROJECTS: Final = 10
"""The number of projects drawn between two checks of the clock."""


def draw(minutes: float, keep: Keeper, tally: Tally) -> None:
    """Draws projects until the time is over or one fails."""
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until and not keep.failures:
        with tempfile.TemporaryDirectory() as folder:
            try:
                run(Path(folder), keep, tally, examples=PROJECTS, step_count=60, derandomize=False)
            except Exception:  # noqa: BLE001 - the failure is kept, and told at the end
                traceback.print_exc(limit=0)
        print(tally, file=sys.stderr)  # noqa: T201  progress


ABOUT: Final = """\
Projects are drawn at random, with pages, partials, data, collections, commands and plug-ins, links, drafts, slugs and
aliases, extensions of Markdown, hooks, and rules beside others, and edited at random under a daemon that is stopped,
killed and started again. Whenever all is quiet, every output and the set of files are compared with an evaluation from
scratch that shares no code with kahnd, each project's last state with a fresh build too; and nothing may have been
rendered whose inputs did not change.
"""
COLUMNS: Final = ("projects", "steps", "comparisons", "with fresh builds", "starts", "rendered", "failures")


def section(tally: Tally, found: int) -> str:
    """Returns the text for the docs."""
    counts = (tally.projects, tally.steps, tally.quiets, tally.fresh, tally.starts, tally.rendered, found)
    rows = (COLUMNS, ["---:"] * len(COLUMNS), [f"{each:,}" for each in counts])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"{HEADING}\n\n{ABOUT}\n`make agreement`, {datetime.now(UTC):%Y-%m-%d}:\n\n{table}"


def main() -> int:
    """Runs with the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--failure", type=Path, default=Path("agreement-failure.json"))
    words = parser.parse_args()
    warnings.simplefilter("ignore", HypothesisWarning)  # ignores that a drawn project is long
    keep, tally = Keeper(words.failure.absolute()), Tally()
    draw(words.minutes, keep, tally)
    found = 1 if keep.failures else 0
    put(PAGE, HEADING, section(tally, found))
    print(tally, *keep.told[-1:], sep="\n")  # noqa: T201  what it is for
    return found


if __name__ == "__main__":
    sys.exit(main())
