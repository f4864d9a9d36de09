"""The generated part of `docs/performance.md`, between two marks; people write the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from suite.figures import Figure, Figures
from suite.goals import HEAD, Goal, rows
from suite.measures.guard import ABSENT, FAULT
from suite.plots import Plot

BEGIN: Final = "<!-- Written by `make bench`, from here -->"
END: Final = "<!-- to here -->"

CORPORA: Final = {
    "index": "Commands, an index over all",
    "sections": "Commands, an index over every ten",
    "pages": "Small pages",
    "heavy": "Pages of some 10 kB",
    "hub": "Pages with one partial in all of them",
    "skewed, wide": "Skewed, wide",
    "skewed, chain": "Skewed, with a long chain",
}


def inserted(page: str, text: str, begin: str = BEGIN) -> str:
    """Returns the page with the text between its marks. Raises ValueError if it has none."""
    before, found, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    if not (found and end):
        raise ValueError(f"the page has no “{begin}” and “{END}”")
    return f"{before}{begin}\n\n{text}\n{END}{after}"


def text(machine: str, goals: Iterable[Goal], figures: Figures, plots: Iterable[Plot]) -> str:
    """Returns the goals, the plots, and all figures."""
    days = " and ".join(sorted({figure.day for figure in figures}))
    parts = [
        f"Measured on {days}: {machine}\n",
        "## Goals\n",
        table(HEAD, rows(goals)),
        "## By the size of the project\n",
    ]
    parts += [f"![{plot.title}](plots/{plot.name}.svg)\n" for plot in plots]
    parts += ["## Everything measured\n", *_everything(figures)]
    return "\n".join(parts)


def table(head: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table. A head that ends with a colon aligns its column to the right."""
    rules = ["---:" if name.endswith(":") else "---" for name in head]
    lines = [[name.removesuffix(":") for name in head], rules, *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _everything(figures: Figures) -> Iterator[str]:
    missing = [each for each in figures if each.measure in (ABSENT, FAULT)]
    measured = [each for each in figures if each not in missing]
    for corpus, name in CORPORA.items():
        if selected := sorted((each for each in measured if each.corpus == corpus), key=_order):
            yield f"### {name}\n"
            yield table(
                ("", "tool", "documents:", "median:", "95th percentile:", "least to greatest:"), map(_cells, selected)
            )
    if missing:
        yield "### Not measured\n"
        yield table(("corpus", "documents", "tool", "why"), map(_why, missing))


def _order(figure: Figure) -> tuple[str, bool, str, int]:
    """Returns a sort key that puts kahnd before the other tools of each measure."""
    return figure.measure, figure.tool != "kahnd", figure.tool, figure.documents


def _cells(figure: Figure) -> tuple[str, ...]:
    p95 = number_with_unit(figure) if len(figure.values) >= 10 else ""  # noqa: PLR2004 - of fewer it says nothing
    return figure.measure, figure.tool, f"{figure.documents:,}", str(figure), p95, figure.spread


def number_with_unit(figure: Figure) -> str:
    """Returns the 95th percentile with its unit."""
    return str(Figure(*figure.key, figure.unit, (figure.p95,)))


def _why(figure: Figure) -> tuple[str, ...]:
    return figure.corpus, f"{figure.documents:,}", figure.tool, " ".join(figure.absent.replace("|", "/").split())
