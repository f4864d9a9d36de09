"""Documents that show when a commit has changed them last."""

from __future__ import annotations

from dataclasses import replace

from core.world import LAYOUT, World
from kahnd.core.model import DocumentId, Status

A, B, P = "docs/a.md", "docs/b.md", "docs/p.txt"
DATED = replace(LAYOUT, last_change=True)


def begun(sources: dict[str, str], **dates: int) -> World:
    world = World(sources, DATED)
    world.dates = {DocumentId(f"docs/{name}.md"): date for name, date in dates.items()}
    world.start()
    world.settle()
    return world


def test_a_commit_renders_exactly_those_that_show_another_date() -> None:
    world = begun({A: "dated", B: "dated", "docs/c.md": "c", P: "p"}, a=10, c=10)
    assert world.outputs.texts == {"site/a.html": "[10]", "site/b.html": "[]", "site/c.html": "c "}
    world.commit({A: 10, B: 20, "docs/c.md": 20, P: 20})
    assert world.settle() == [B]
    world.commit({A: 30})
    assert world.settle() == [A]
    assert world.outputs.texts["site/a.html"] == "[30]"
    world.commit({A: None})
    assert world.settle() == [A]
    assert world.outputs.texts["site/a.html"] == "[]"


def test_who_is_rendered_first_is_rendered_once() -> None:
    world = World({A: "dated"}, DATED)
    world.dates = {DocumentId(A): 10}
    world.start()
    assert world.settle() == [A]


def test_commits_while_nobody_looked_are_noticed_at_the_start() -> None:
    world = begun({A: "dated", B: "dated"}, a=10, b=10)
    world.start()
    assert world.settle() == []
    world.dates = {DocumentId(A): 20}
    world.start()
    assert sorted(world.settle()) == [A, B]
    assert world.outputs.texts == {"site/a.html": "[20]", "site/b.html": "[]"}


def test_a_commit_while_its_document_is_rendered_first_renders_it_again() -> None:
    """The graph does not know yet that it shows the date, which it was told before."""
    world = World({A: "dated"}, DATED)
    world.start()
    world.compute(A)
    world.commit({A: 20})
    world.settle()
    assert world.outputs.texts["site/a.html"] == "[20]"


def test_a_removed_document_leaves_nothing_behind() -> None:
    world = begun({A: "dated", B: "b"}, a=10)
    world.remove(A)
    world.settle()
    assert [node.facts.id for node in world.machine.graph] == [B]
    assert world.statuses() == {B: Status.DONE}
