"""The tables of docs/architecture.md say what the machine does; and what it does is right."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from core.decisions import NEVER, difference_from_fresh, ends, line, row, tables
from core.happenings import ENDS, KINDS, End, Happening, Kind, running
from core.scenes import STATES, State

ARCHITECTURE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"
HOW: Final = "`python -m core.decisions`, run in tests/, prints all tables as they are now"
PRIVATE: Final = frozenset({"FAILED, unreadable", "FAILED, place taken"})
"""States that a fresh build of the sources alone knows nothing of."""


def section() -> str:
    text = ARCHITECTURE.read_text()
    return text[text.index("### What happens when") :].partition("\n### Two strengths")[0]


def told(title: str) -> dict[str, tuple[str, ...]]:
    """A table of the docs: its cells by state."""
    lines = section().partition(f"\n{title}:\n\n")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [tuple(cell.strip() for cell in each.strip("|").split("|")) for each in lines]
    return {state: each[1:] for each in rows for state in each[0].split("; ")}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_the_docs_tell_what_happens(kind: Kind, state: State) -> None:
    now = row(kind, state)
    documented = told(kind.title).get(state.name, (NEVER,) * len(now))
    assert documented == now, f"it is now: {line((state.name, *now))} ({HOW})"


def test_the_docs_tell_how_a_run_can_end() -> None:
    for end, words in ends().items():
        assert line((end, words)) in section(), HOW


def test_the_docs_tell_nothing_else() -> None:
    documented = [each for each in section().splitlines() if each.startswith(("|", NEVER))]
    assert documented == [each for table in tables() for each in table.splitlines() if each.startswith(("|", NEVER))], (
        HOW
    )


PAIRS: Final = [
    (state, happening)
    for state in STATES
    for kind in KINDS
    for happening in kind.happenings
    if state.name not in PRIVATE and not happening.obstacle(state)
]


@pytest.mark.parametrize(("state", "happening"), PAIRS, ids=lambda each: each.name)
def test_whatever_happens_all_is_as_a_fresh_build_makes_it(state: State, happening: Happening) -> None:
    scene = state.scene()
    happening.happen(scene)
    scene.settle()
    if not scene.unreadable:
        assert difference_from_fresh(scene) == {}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.name)
def test_however_a_run_ends_all_is_as_a_fresh_build_makes_it(end: End) -> None:
    scene = running(end)
    end.happen(scene)
    scene.settle()
    if not scene.in_the_way and end.name != "reads other bytes every time":
        assert difference_from_fresh(scene) == {}
