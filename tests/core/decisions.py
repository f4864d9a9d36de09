"""Tries out on the machine what happens when: the tables of docs/document-states.md.

`python -m core.decisions`, in `tests/`, prints them as they are now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from core.document_events import ENDS, KINDS, Action, DocumentEvent, Kind, running
from core.naive import evaluate
from core.scenes import STATES, Scene, State

NOTHING, GOES_ON, NEVER = "nothing", "goes on", "–"  # noqa: RUF001 - a table's sign for "can't be"
AGAIN: Final = re.compile(r"(tried, looked at)(?:, \1)+")


def observe(scene: Scene, action: Action) -> str:
    """Returns in words what happens to the document from the action until all is quiet."""
    under_way = not scene.machine.quiet
    scene.forget_words()
    action(scene)
    untouched = under_way and not scene.stirred and not scene.words
    scene.settle()
    if not scene.words:
        return NOTHING
    return GOES_ON if untouched else AGAIN.sub(_counted, ", ".join(scene.words))


def _counted(repeated: re.Match[str]) -> str:
    return f"{repeated[1]} ({repeated[0].count(repeated[1])} times)"


def cell(state: State, event: DocumentEvent) -> str:
    """Returns what an event does in one state."""
    return NEVER if event.obstacle(state) else observe(state.scene(), event.action)


@cache
def row(kind: Kind, state: State) -> tuple[str, ...]:
    """Returns what each event of a kind does in one state."""
    return tuple(cell(state, each) for each in kind.events)


def ends() -> dict[str, str]:
    """Returns what happens at each end of a run."""
    return {end.name: observe(running(end), end.action) for end in ENDS}


def table(kind: Kind) -> str:
    """Returns a table; states with the same cells share a row, and states without a possible event have none."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for state in STATES:
        rows.setdefault(row(kind, state), []).append(state.name)
    rows.pop((NEVER,) * len(kind.events), None)
    header = ("it is", *(each.name for each in kind.events))
    return _lines([header, *(("; ".join(names), *cells) for cells, names in rows.items())])


def reasons(kind: Kind) -> str:
    """Returns a note on why some events can't happen in some states."""
    obstacles = [each.obstacle(state) for each in kind.events for state in STATES]
    found = dict.fromkeys(each.value for each in obstacles if each)
    return f"\n\n{NEVER}: {'; '.join(found)}." if found else ""


def tables() -> Iterator[str]:
    """Yields all tables as the docs must have them."""
    for kind in KINDS:
        yield f"{kind.title}:\n\n{table(kind)}{reasons(kind)}"
    yield "Its run:\n\n" + _lines([("it", "what happens"), *ends().items()])


def _lines(rows: Sequence[tuple[str, ...]]) -> str:
    rule = ("---",) * len(rows[0])
    return "\n".join(map(line, (rows[0], rule, *rows[1:])))


def line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def difference_from_fresh(scene: Scene) -> dict[str, object]:
    """Returns statuses and outputs that differ from a fresh build of the same sources."""
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
