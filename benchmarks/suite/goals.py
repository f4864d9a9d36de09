"""The goals, each with the figures that decide whether it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from suite.bench import Sizes
from suite.figures import Figure, Figures, Unit


@dataclass(frozen=True)
class Limit:
    """An upper limit for a figure, absolute in its unit, or relative to the figure `beside`."""

    figure: Figure
    most: float
    beside: Figure | None = None
    unit: Unit = "times"

    @property
    def ratio(self) -> float | None:
        """The figure, divided by the one `beside` if there is one; None if either was not measured."""
        if not self.figure.values or (self.beside and not (self.beside.values and self.beside.median)):
            return None  # a peer may end before its memory is sampled
        return self.figure.median / (self.beside.median if self.beside else 1)

    @property
    def holds(self) -> bool | None:
        """Tells whether the limit holds; None if a figure is missing."""
        return None if self.ratio is None else self.ratio <= self.most


@dataclass(frozen=True)
class Goal:
    """A row of the table of goals."""

    measure: str
    limit: Limit

    @property
    def goal(self) -> str:
        """The limit as text."""
        beside, most = self.limit.beside, self.limit.most
        return f"≤ {most:g} × {_beside(self.limit)}" if beside else f"≤ {most:g} {self.limit.unit}"

    @property
    def verdict(self) -> str:
        """Tells whether the limit holds, as text."""
        return {True: "holds", False: "**does not hold**", None: "not measured"}[self.limit.holds]


def _beside(limit: Limit) -> str:
    assert limit.beside  # noqa: S101 - asked for where there is one
    same_tool = limit.beside.tool == limit.figure.tool
    return f"{limit.beside.documents:,} documents" if same_tool else limit.beside.tool


def goals(figures: Figures, sizes: Sizes) -> Iterator[Goal]:
    """Yields all goals in the order of the table."""
    yield from _saves(figures.get, sizes)
    yield from _starts_and_builds(figures.get, sizes)
    yield from _engine(figures.get, sizes)
    yield from _commands(figures.get, sizes)


Get = Callable[..., Figure]


def _saves(get: Get, sizes: Sizes) -> Iterator[Goal]:
    middle, what = sizes.middle, f"leaf edit, {sizes.middle:,} documents"
    edit = partial(get, "leaf edit", "index", middle)
    yield Goal(what, Limit(edit(), 0.35, edit("entr + ninja")))
    yield Goal(what, Limit(edit(), 2, edit("bare commands")))
    for size in dict.fromkeys((sizes.middle, sizes.large)):
        of = partial(get, "leaf edit", "sections")
        yield Goal(f"the same change, {size:,} documents", Limit(of(size), 1.3, of(sizes.small)))
    page = partial(get, "page edit", "pages", middle)
    yield Goal(f"page edit to page, {middle:,} pages", Limit(page(), 0.15, page("Hugo")))
    yield Goal(
        f"engine overhead of an edit, {middle:,} documents",
        Limit(get("engine overhead", "index", middle), 10, unit="ms"),
    )


def _starts_and_builds(get: Get, sizes: Sizes) -> Iterator[Goal]:
    for corpus, size, seconds in (("index", sizes.middle, 2), ("sections", sizes.large, 6)):
        yield Goal(
            f"null start to quiet, {size:,} documents", Limit(get("null start", corpus, size), seconds, unit="s")
        )
    for what, corpus, size, most, peer in (
        ("`cksum` documents", "index", sizes.middle, 1.0, "ninja"),
        ("small pages", "pages", sizes.middle, 0.7, "Hugo"),
        ("pages of some 10 kB", "heavy", sizes.heavy, 0.5, "Hugo"),
    ):
        of = partial(get, "cold build", corpus, size)
        yield Goal(f"cold build, {size:,} {what}", Limit(of(), most, of(peer)))
    peak = partial(get, "cold build's memory", "heavy", sizes.heavy)
    yield Goal("peak memory of that", Limit(peak(), 0.4, peak("Hugo")))


def _engine(get: Get, sizes: Sizes) -> Iterator[Goal]:
    what = f"hub edit that renders {sizes.middle:,} pages, over the pool's own time"
    yield Goal(what, Limit(get("hub edit over the pool's time", "hub", sizes.middle), 1.1))
    for shape in ("wide", "chain"):
        ratio = get("makespan over the bound", f"skewed, {shape}", sizes.skewed)
        yield Goal(f"makespan of a skewed graph ({shape}), over its bound", Limit(ratio, 1.1))
    for corpus, size, megabytes in (("index", sizes.middle, 150), ("sections", sizes.large, 500)):
        yield Goal(f"memory at rest, {size:,} documents", Limit(get("memory", corpus, size), megabytes, unit="MB"))
    yield Goal(f"idle CPU, {sizes.middle:,} documents", Limit(get("idle CPU", "index", sizes.middle), 0.5, unit="%"))
    yield Goal(
        "first save after a pause, until it is seen",
        Limit(get("first save seen", "index", sizes.middle), 40, unit="ms"),
    )


def _commands(get: Get, sizes: Sizes) -> Iterator[Goal]:
    for command in ("status", "why", "wait"):
        figure = get(f"kahnd {command}", "pages", sizes.middle)
        yield Goal(f"`kahnd {command}` of a daemon, {sizes.middle:,} documents", Limit(figure, 150, unit="ms"))


HEAD: Final = ("measure", "goal", "kahnd:", "spread:", "beside it", "ratio:", "")


def rows(all_goals: Iterable[Goal]) -> Iterator[tuple[str, ...]]:
    """Yields the cells of each row."""
    for goal in all_goals:
        limit = goal.limit
        beside = _with_spread(limit.beside) if limit.beside else ""
        ratio = f"{limit.ratio:.2f}" if limit.beside and limit.ratio is not None else ""
        yield goal.measure, goal.goal, str(limit.figure), limit.figure.spread, beside, ratio, goal.verdict


def _with_spread(figure: Figure) -> str:
    spread = figure.spread and f" ({figure.spread})"
    return f"{figure.tool}: {figure}{spread}"
