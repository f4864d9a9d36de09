"""What happens when, tried out on the machine: the tables of docs/architecture.md.

`python -m core.decisions`, in `tests/`, prints them as they are now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from core.happenings import ENDS, KINDS, Happen, Happening, Kind, running
from core.naive import evaluate
from core.scenes import STATES, Scene, State

NOTHING, GOES_ON, NEVER = "nothing", "goes on", "–"  # noqa: RUF001 - a table's sign for "can't be"
AGAIN: Final = re.compile(r"(tried, looked at)(?:, \1)+")


def observe(scene: Scene, happen: Happen) -> str:
    """What becomes of the document from then to quiet, in words."""
    under_way = not scene.machine.quiet
    scene.forget_words()
    happen(scene)
    untouched = under_way and not scene.stirred and not scene.words
    scene.settle()
    if not scene.words:
        return NOTHING
    return GOES_ON if untouched else AGAIN.sub(_counted, ", ".join(scene.words))


def _counted(repeated: re.Match[str]) -> str:
    return f"{repeated[1]} ({repeated[0].count(repeated[1])} times)"


def cell(state: State, happening: Happening) -> str:
    """What happens in one state."""
    return NEVER if happening.obstacle(state) else observe(state.scene(), happening.happen)


def row(kind: Kind, state: State) -> tuple[str, ...]:
    """What happens in one state, by the happenings of a kind."""
    return tuple(cell(state, each) for each in kind.happenings)


def ends() -> dict[str, str]:
    """What happens at each end of a run."""
    return {end.name: observe(running(end), end.happen) for end in ENDS}


def table(kind: Kind) -> str:
    """States that are alike share a row; one in which nothing of the kind can be has none."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for state in STATES:
        rows.setdefault(row(kind, state), []).append(state.name)
    rows.pop((NEVER,) * len(kind.happenings), None)
    header = ("it is", *(each.name for each in kind.happenings))
    return _lines([header, *(("; ".join(names), *cells) for cells, names in rows.items())])


def reasons(kind: Kind) -> str:
    """Why some of it can't be in some states."""
    obstacles = [each.obstacle(state) for each in kind.happenings for state in STATES]
    found = dict.fromkeys(each.value for each in obstacles if each)
    return f"\n\n{NEVER}: {'; '.join(found)}." if found else ""


def tables() -> Iterator[str]:
    """All of them, as they are to be in the docs."""
    for kind in KINDS:
        yield f"{kind.title}:\n\n{table(kind)}{reasons(kind)}"
    yield "Its run:\n\n" + _lines([("it", "what happens"), *ends().items()])


def _lines(rows: Sequence[tuple[str, ...]]) -> str:
    rule = ("---",) * len(rows[0])
    return "\n".join(map(line, (rows[0], rule, *rows[1:])))


def line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def difference_from_fresh(scene: Scene) -> dict[str, object]:
    """Where a fresh build of the same sources would have come to something else."""
    fresh = evaluate(scene.sources.texts, scene.layout)
    statuses, outputs = scene.statuses(), scene.outputs.texts
    wrong: dict[str, object] = {
        document: status for document, status in statuses.items() if fresh.statuses.get(document) is not status
    }
    wrong |= {path: outputs.get(path) for path, text in fresh.outputs.items() if outputs.get(path) != text}
    kept = scene.machine.graph.outputs()
    return wrong | {path: text for path, text in outputs.items() if path not in kept}


if __name__ == "__main__":
    print("\n\n".join(tables()))  # noqa: T201 - what it is for
