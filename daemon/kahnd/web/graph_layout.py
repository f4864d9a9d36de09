"""Places the nodes of a drawing: generations from left to right, and each near those that it is connected to.

Pure. Within a layer nodes are ordered by barycentres (K. Sugiyama et al., "Methods for visual understanding of
hierarchical system structures", 1981), in a few sweeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, sqrt
from typing import Final

SWEEPS: Final = 6
COLUMN: Final = 4.0
"""The distance between columns; that between rows is 1, since names are wide."""
GAP: Final = 2.0
"""The further distance between two layers."""
FEWEST_ROWS: Final = 10

Point = tuple[float, float]


def positions(layers: Sequence[int], edges: Iterable[tuple[int, int]]) -> list[Point]:
    """Returns the place of each node, whose layer is given; y grows upwards. A layer that is high is wrapped."""
    neighbours: list[list[int]] = [[] for _ in layers]
    for source, target in edges:
        if layers[source] != layers[target]:
            neighbours[source].append(target)
            neighbours[target].append(source)
    ordered = _ordered(
        [[each for each, at in enumerate(layers) if at == layer] for layer in sorted({*layers})], neighbours
    )
    rows = max(FEWEST_ROWS, ceil(sqrt(len(layers) * 2.5)))
    points: list[Point] = [(0.0, 0.0)] * len(layers)
    x = 0.0
    for nodes in ordered:
        columns = ceil(len(nodes) / rows)
        height = ceil(len(nodes) / columns)
        for place, node in enumerate(nodes):
            column, row = divmod(place, height)
            points[node] = (x + column * COLUMN, (min(height, len(nodes) - column * height) - 1) / 2 - row)
        x += columns * COLUMN + GAP
    return points


def _ordered(layers: list[list[int]], neighbours: Sequence[Sequence[int]]) -> list[list[int]]:
    """Sorts the nodes of each layer by the mean height of their neighbours, forwards and backwards in turn."""
    heights = [0.0] * len(neighbours)
    for layer in layers:
        _note(layer, heights)
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            means = {
                node: sum(heights[each] for each in near) / len(near) if (near := neighbours[node]) else heights[node]
                for node in layer
            }
            layer.sort(key=means.__getitem__)
            _note(layer, heights)
    return layers


def _note(layer: Sequence[int], heights: list[float]) -> None:
    """Notes how high each node of a layer is, from 0 to 1."""
    for place, node in enumerate(layer):
        heights[node] = (place + 0.5) / len(layer)
