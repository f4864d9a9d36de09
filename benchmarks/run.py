"""Measures kahnd and its peers, prints the goals with their results, and writes docs/performance.md.

    python benchmarks/run.py [--quick] [--only NAME …] [--write]

--quick uses tiny corpora, to check that everything works. --only selects scenarios. Neither changes the page without
--write; with it, the figures that --only leaves out stay as they were last measured.
"""

from __future__ import annotations

import argparse
import compileall
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from suite import bench, goals, machine, plots, report
from suite.bench import Bench
from suite.figures import NOT_MEASURED, Figure, Figures
from suite.measures.guard import FAULT
from suite.scenarios import SCENARIOS

DOCS: Final = Path(__file__).parents[1] / "docs"
PAGE: Final = DOCS / "performance.md"
KEPT: Final = Path(__file__).with_name("figures.json")
"""The figures that the page is written from."""


def measured(run: Bench, names: Sequence[str]) -> Iterator[Figure]:
    """Runs the scenarios, and prints and yields each figure as soon as it is measured."""
    for name in names:
        began = time.monotonic()
        for figure in SCENARIOS[name](run):
            measurement = f"{figure.measure}: {figure} {figure.spread and f'({figure.spread})'}"
            print(f"  {figure.corpus}, {figure.documents:,} documents, {figure.tool}, {measurement}", flush=True)
            yield replace(figure, day=f"{datetime.now(UTC):%Y-%m-%d}")
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)


def write(figures: Figures, run: Bench) -> None:
    """Writes the page, its plots, and the figures that they are made from."""
    KEPT.write_bytes(b"[\n" + b",\n".join(map(msgspec.json.encode, figures)) + b"\n]\n")
    judged = goals.goals(figures, run.sizes)
    drawn = list(plots.draw(figures, DOCS / "plots"))
    where = f"{machine.machine()}; {'; '.join(machine.versions())}."
    PAGE.write_text(report.inserted(PAGE.read_text(), report.text(where, judged, figures, drawn)))


def kept() -> Figures:
    """Returns the figures of earlier runs."""
    return Figures(msgspec.json.decode(KEPT.read_bytes(), type=tuple[Figure, ...]) if KEPT.exists() else ())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny corpora")
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=[], metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--write", action="store_true", help="the page, though it is not all or not in full")
    return parser.parse_args()


def _compile() -> None:
    """Compiles all modules, as on a user's machine: otherwise each start takes half a second longer."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_path(maxlevels=sys.getrecursionlimit(), quiet=2)


def _main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the started processes and removes the temporary files
    _compile()
    with tempfile.TemporaryDirectory(prefix="kahnd-bench-") as place:
        run = bench.quick(Path(place)) if arguments.quick else bench.full(Path(place))
        figures = Figures(tuple(measured(run, arguments.only or list(SCENARIOS))))
    judged = [goal for goal in goals.goals(figures, run.sizes) if goal.limit.figure.absent != NOT_MEASURED]
    print(f"\n{report.table(goals.HEAD, goals.rows(judged))}")
    if arguments.write or not (arguments.quick or arguments.only):
        write(kept().merged(figures) if arguments.only else figures, run)
    faults = [each for each in figures if each.measure == FAULT]
    for fault in faults:
        print(f"{fault.corpus}, {fault.documents:,} documents, {fault.tool}: {fault.absent}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(_main())
