"""Graphs whose rendering times differ widely (log-normal), to measure how well two workers are used.

A rendering sleeps, so its time is known in advance, and so is the bound that no schedule can beat: the longest chain,
or all work divided by the workers (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969). All documents need
one plain document, so that saving it renders them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from suite.corpora.corpus import Corpus, put, seeded_random

Shape = Literal["wide", "chain"]

WORKERS: Final = 2
TICK: Final = "docs/_tick.txt"
_MEDIAN_S, _SIGMA = 0.06, 1.0
_SHORTEST_S, _LONGEST_S = 0.01, 1.0
_CHAIN_SHARE: Final = 0.9
"""In the shape `chain`, one chain takes this share of the bound, so a schedule that starts it late is late."""
_CONFIG: Final = f"""[project]
name = "corpus"
sources = ["docs"]

[pool]
workers = {WORKERS}

[[rules]]
match = "docs/**/*.txt"
renderer = "command"
command = ["sh", "render.sh", "{{source}}"]
scan = ['needs (\\S+)']
stdout = true
output = "{{dir}}/{{stem}}.out"
"""
_RENDER: Final = 'while read -r word rest; do [ "$word" = seconds ] && sleep "$rest"; done < "$1"\nexec cksum "$1"\n'


@dataclass(frozen=True)
class Skewed:
    """A graph, and the rendering time of each document in seconds."""

    needs: Mapping[str, tuple[str, ...]]
    seconds: Mapping[str, float]

    @property
    def bound_s(self) -> float:
        """The duration in seconds that no schedule on these workers can beat."""
        finished: dict[str, float] = {}
        for document, needed in self.needs.items():
            finished[document] = self.seconds[document] + max((finished[each] for each in needed), default=0)
        return max(*finished.values(), sum(self.seconds.values()) / WORKERS)


def draw(documents: int, shape: Shape, seed: int) -> Skewed:
    """Draws a graph in which each document after the first third needs up to two of the preceding third."""
    rng = seeded_random(seed)
    names = [f"docs/d{number:04}.txt" for number in range(documents)]
    rng.shuffle(names)  # so that the order of names is no good schedule
    seconds = {name: min(max(rng.lognormvariate(0, _SIGMA) * _MEDIAN_S, _SHORTEST_S), _LONGEST_S) for name in names}
    needs: dict[str, tuple[str, ...]] = {}
    for place, name in enumerate(names):
        before = names[max(0, place - documents // 3) : place]
        needs[name] = tuple(rng.sample(before, min(2, len(before)))) if place > documents // 3 else ()
    graph = Skewed(needs, {name: round(each, 3) for name, each in seconds.items()})
    return graph if shape == "wide" else _with_chain(graph)


def _with_chain(graph: Skewed) -> Skewed:
    """Adds a chain of documents that takes the share of the bound.

    Its documents sort last by name, and need only one another.
    """
    links = [f"docs/z{number:04}.txt" for number in range(max(3, len(graph.needs) // 8))]
    work = sum(graph.seconds.values())
    # With c for the chain's time: c = share * (work + c) / workers.
    each = _CHAIN_SHARE * work / (WORKERS - _CHAIN_SHARE) / len(links)
    needs = {link: (links[place - 1],) if place else () for place, link in enumerate(links)}
    return Skewed({**graph.needs, **needs}, {**graph.seconds, **dict.fromkeys(links, round(each, 3))})


def write(root: Path, graph: Skewed) -> Corpus:
    """Writes the project."""
    put(root, [("kahnd.toml", _CONFIG), ("render.sh", _RENDER), (TICK, "tick\n")])
    put(root, ((name, _text(needed, graph.seconds[name])) for name, needed in graph.needs.items()))
    needs = {name: (TICK, *needed) for name, needed in graph.needs.items()}
    return Corpus(root, "skewed", {TICK: (), **needs}, frozenset({TICK}))


def _text(needed: tuple[str, ...], seconds: float) -> str:
    return "".join(f"needs /{each}\n" for each in (TICK, *needed)) + f"seconds {seconds}\n"
