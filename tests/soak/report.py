"""The report of a soak for the docs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Final

from soak.flatness import Finding, percentile
from soak.samples import Sample

HEADING: Final = "## A soak"
SHOWN: Final = 10
"""The most samples shown in the table: evenly spread, with the first and the last."""
ABOUT: Final = """\
A daemon on a project of pages with partials, lists sorted by a program, and an index over all titles, under one edit a
second: pages, lists, partials, titles, renamed files, broken pages and their mending, and now and then a change of
`kahnd.toml`. After each, all outputs that it reaches must be new before the next; the time until the last of them is
counted. Memory is the proportional set (PSS). Descriptors are the daemon's; those that the database's engine keeps, of
its own files and of every process that it saw on the machine, are told by themselves. A thing is flat where the last
third of the run is within a bound of the first. The daemon's memory goes up and down, since its database is opened anew
after it has written 32 MB, and written anew once it is large: what it comes back to must stay, or there is a leak.
"""


def section(
    samples: Sequence[Sample], kinds: Mapping[str, int], documents: int, found: Iterable[Finding], *, matches: bool
) -> str:
    """Returns the conditions of the soak, its findings, and some of the samples.

    `matches` tells whether all outputs equalled a fresh build's at the end.
    """
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda each: -each[1]))
    machine = f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}"
    where = f"`make soak`, {datetime.now(UTC):%Y-%m-%d}, {machine}, Python {platform.python_version()}"
    edits = f"{documents:,} documents, {sum(kinds.values()):,} edits ({counts})"
    end = "those of a fresh build" if matches else "**not those of a fresh build**"
    return "\n".join(
        [
            HEADING,
            "",
            ABOUT,
            f"{where}: {edits}. At the end all outputs were {end}.",
            "",
            _table(("", "first third", "last third", "bound", ""), map(_verdict, found), "lrrrl"),
            _table(
                ("edits", "daemon", "with workers", "descriptors", "engine's", "threads", "median", "99th percentile"),
                _looks(samples),
                "rrrrrrrr",
            ),
        ]
    )


def _verdict(each: Finding) -> tuple[str, ...]:
    unit = f" {each.quantity.unit}" if each.quantity.unit else ""
    flat = "flat" if each.flat else "**not flat**"
    return each.quantity.name, f"{each.first:.4g}{unit}", f"{each.last:.4g}{unit}", str(each.quantity.bound), flat


def _looks(samples: Sequence[Sample]) -> Iterable[tuple[str, ...]]:
    edits = 0
    shown = {round(number * (len(samples) - 1) / (SHOWN - 1)) for number in range(SHOWN)}
    for number, each in enumerate(samples):
        edits += each.edits
        if number in shown:
            yield (
                f"{edits:,}",
                f"{each.daemon_mb:.0f} MB",
                f"{each.family_mb:.0f} MB",
                str(each.descriptors),
                str(each.engine_descriptors),
                str(each.threads),
                f"{median(each.latencies or [0]):.1f} ms",
                f"{percentile(each.latencies, 0.99):.1f} ms",
            )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> str:
    marks = ["---:" if side == "r" else "---" for side in sides]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, marks, *rows))
