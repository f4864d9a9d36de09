"""Runs the fault suite, the storm and the crash loop in their full forms, and writes the results into the docs.

`make reliability` calls it. It exits with 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parents[1] / "docs" / "reliability.md"
HEADING: Final = "## Faults"


@dataclass(frozen=True)
class Row:
    """One measurement: its command, what it tried, and what was lost."""

    what: str
    tried: str
    lost: int
    seconds: float


def faults(folder: Path) -> Row:
    """Runs the fault suite: every test is a fault, survived if the test passes."""
    report = folder / "faults.xml"
    began = time.monotonic()
    run(["-m", "pytest", "-q", str(HERE), f"--junitxml={report}"])
    suite = ET.parse(report).getroot()[0].attrib  # noqa: S314  written by the line above
    tried, skipped = int(suite["tests"]), int(suite["skipped"])
    lost = int(suite["failures"]) + int(suite["errors"])
    told = f"{tried - skipped} faults, {tried - skipped - lost} survived"
    return Row("the fault suite", told + (f", {skipped} not to be had here" if skipped else ""), lost, since(began))


def storm(runs: int, seed: int) -> Row:
    """Runs the storm with 100,000 file operations a run."""
    began = time.monotonic()
    told = json.loads(run([str(HERE / "storm.py"), "--runs", str(runs), "--seed", str(seed)]))
    tried = f"{told['runs']} storms, {told['operations']:,} file operations, {told['overflows']} overflows"
    return Row("`tests/faults/storm.py`", tried, told["lost"], since(began))


def crashes(kills: int, seed: int) -> Row:
    """Runs the crash loop: a daemon killed at random instants."""
    began = time.monotonic()
    told = json.loads(run([str(HERE / "crash_loop.py"), "--kills", str(kills), "--seed", str(seed)]))
    tried = f"{told['kills']} kills, {told['restarts']} restarts, {told['repeated']} committed renders repeated"
    return Row("`tests/faults/crash_loop.py`", tried, told["lost"] + told["repeated"], since(began))


def run(words: Sequence[str]) -> str:
    """Returns the output of a Python program, which tells how it ended."""
    program = subprocess.run(
        [sys.executable, *words], cwd=HERE.parents[1], stdout=subprocess.PIPE, text=True, check=False
    )
    return program.stdout


def since(began: float) -> float:
    """Returns the seconds since then."""
    return time.monotonic() - began


def section(rows: Sequence[Row], seed: int) -> str:
    """Returns the text for the docs."""
    lines = [f"| {each.what} | {each.tried} | {each.lost} | {each.seconds:,.0f} s |" for each in rows]
    machine = (
        f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}, Python {platform.python_version()}"
    )
    return "\n".join(
        [
            HEADING,
            "",
            f"`make reliability`, {datetime.now(UTC):%Y-%m-%d}, {machine}, seed {seed}:",
            "",
            "| measured by | tried | lost | took |",
            "| --- | --- | ---: | ---: |",
            *lines,
            "",
        ]
    )


def put(page: Path, heading: str, text: str) -> None:
    """Replaces a section, from its heading to the next; appends it if there is none."""
    before, found, after = page.read_text().partition(heading)
    rest = after.partition("\n## ")[2]
    page.write_text(f"{before if found else before.rstrip() + chr(10) * 2}{text}" + (f"\n## {rest}" if rest else ""))


def main() -> int:
    """Runs with the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [faults(Path(folder)), storm(words.runs, words.seed), crashes(words.kills, words.seed)]
    put(PAGE, HEADING, section(rows, words.seed))
    print(PAGE.read_text())  # noqa: T201  what it is for
    return 1 if any(each.lost for each in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
