"""Plots of latency by the size of the project, with a line for each tool."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pygal
from pygal.style import CleanStyle

from suite.figures import Figure, Figures


@dataclass(frozen=True)
class Plot:
    """One plot of a measure of a corpus."""

    name: str
    title: str
    measure: str
    corpus: str

    def figures(self, figures: Figures) -> list[Figure]:
        """Returns the figures that the plot shows."""
        return [each for each in figures if (each.measure, each.corpus) == (self.measure, self.corpus) and each.values]


PLOTS: Final = (
    Plot("leaf-edit", "Leaf edit to the last affected output", "leaf edit", "sections"),
    Plot("burst", "100 leaves saved at once", "burst", "sections"),
    Plot("cold", "Cold build, cksum commands", "cold build", "sections"),
    Plot("null-start", "Start with nothing to do, to quiet", "null start", "sections"),
    Plot("null-build", "Build with nothing to do", "null build", "sections"),
    Plot("cold-pages", "Cold build, small pages", "cold build", "pages"),
    Plot("page-edit", "Page edit to page", "page edit", "pages"),
    Plot("hub-edit", "Edit of what all pages include", "hub edit", "hub"),
)


def draw(figures: Figures, folder: Path) -> Iterator[Plot]:
    """Writes a picture for each plot that has data, and yields those plots."""
    folder.mkdir(exist_ok=True)
    for plot in PLOTS:
        if drawn := plot.figures(figures):
            (folder / f"{plot.name}.svg").write_bytes(_chart(plot, drawn).render())
            yield plot


def _chart(plot: Plot, drawn: Sequence[Figure]) -> Any:
    """Creates a chart with two logarithmic axes, the sizes' by hand. It has no scripts, so it loads nothing."""
    sizes = sorted({figure.documents for figure in drawn})
    chart = pygal.XY(Config(), style=CleanStyle, title=f"{plot.title}, {drawn[0].unit}", x_title="documents")
    chart.uuid = plot.name  # random by default
    chart.x_labels = [math.log10(size) for size in sizes]
    chart.x_value_formatter = lambda power: f"{round(10**power):,}"
    chart.y_labels = _steps([figure.median for figure in drawn])
    chart.y_value_formatter = chart.value_formatter = lambda value: f"{value:,g}"
    for tool in dict.fromkeys(figure.tool for figure in drawn):
        selected = sorted((figure.documents, figure.median) for figure in drawn if figure.tool == tool)
        chart.add(tool, [(math.log10(size), value) for size, value in selected])
    return chart


def _steps(values: Sequence[float]) -> list[float]:
    """Returns 1, 2, 5, 10 and so on, from below the least value to above the greatest."""
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    steps = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    below = [step for step in steps if step <= min(values)]
    above = [step for step in steps if step >= max(values)]
    return [step for step in steps if below[-1] <= step <= above[0]]


class Config(pygal.Config):  # type: ignore[misc]
    """The style of all plots."""

    logarithmic = True
    js = ()
    width, height = 640, 380
    legend_at_bottom = True
    truncate_legend = -1
    margin, margin_right = 12, 40
