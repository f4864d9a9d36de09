"""The tables of docs/document-states.md say what the machine does, and its results are right."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from core.decisions import NEVER, difference_from_fresh, ends, line, row, tables
from core.document_events import ENDS, KINDS, DocumentEvent, End, Kind, running
from core.scenes import STATES, State

PAGE: Final = Path(__file__).parents[2] / "docs" / "document-states.md"
HOW: Final = "`python -m core.decisions`, run in tests/, prints all tables as they are now"
PRIVATE: Final = frozenset({"FAILED, unreadable", "FAILED, place taken"})
"""States that do not follow from the sources alone."""


def section() -> str:
    return PAGE.read_text()


def told(title: str) -> dict[str, tuple[str, ...]]:
    """Returns a table of the docs: its cells by state."""
    lines = section().partition(f"\n{title}:\n\n")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [tuple(cell.strip() for cell in each.strip("|").split("|")) for each in lines]
    return {state: each[1:] for each in rows for state in each[0].split("; ")}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_the_docs_say_what_happens(kind: Kind, state: State) -> None:
    now = row(kind, state)
    documented = told(kind.title).get(state.name, (NEVER,) * len(now))
    assert documented == now, f"it is now: {line((state.name, *now))} ({HOW})"


def test_the_docs_say_how_a_run_can_end() -> None:
    for end, words in ends().items():
        assert line((end, words)) in section(), HOW


def test_the_docs_have_no_other_tables() -> None:
    documented = [each for each in section().splitlines() if each.startswith(("|", NEVER))]
    assert documented == [each for table in tables() for each in table.splitlines() if each.startswith(("|", NEVER))], (
        HOW
    )


PAIRS: Final = [
    (state, event)
    for state in STATES
    for kind in KINDS
    for event in kind.events
    if state.name not in PRIVATE and not event.obstacle(state)
]


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=lambda each: each.name)
def test_every_event_ends_like_a_fresh_build(state: State, event: DocumentEvent) -> None:
    scene = state.scene()
    event.action(scene)
    scene.settle()
    if not scene.unreadable:
        assert difference_from_fresh(scene) == {}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_every_end_of_a_run_ends_like_a_fresh_build(end: End) -> None:
    scene = running(end)
    end.action(scene)
    scene.settle()
    if not scene.in_the_way and end.name != "reads other bytes every time":
        assert difference_from_fresh(scene) == {}
