"""Dependencies that an earlier rendering read may be gone: such edges neither block nor make cycles."""

from __future__ import annotations

import pytest

from core.world import World, at_rest
from kahnd.core.model import Status

Texts = dict[str, str]
NESTED = {"docs/a.md": "include docs/p.txt", "docs/p.txt": "include docs/q.txt", "docs/q.txt": "x"}


def switched(before: Texts, after: Texts) -> World:
    """Checks out another project over a finished one, observed as one batch."""
    world = at_rest(before)
    for path, text in after.items():
        world.write(path, text)
    world.look()
    world.settle()
    return world


def fresh(sources: Texts) -> World:
    world = World(sources)
    world.start()
    world.settle()
    return world


@pytest.mark.parametrize(
    ("before", "edits"),
    [
        (NESTED, {"docs/p.txt": "no more", "docs/q.txt": "include docs/a.md"}),
        (
            {"docs/a.md": "include docs/p.txt", "docs/p.txt": "output docs/b.md", "docs/b.md": "x"},
            {"docs/p.txt": "no more", "docs/b.md": "fail"},
        ),
        (
            {"docs/a.md": "include docs/b.md", "docs/b.md": "output docs/c.md", "docs/c.md": "x"},
            {"docs/b.md": "no more", "docs/c.md": "fail"},
        ),
        (
            {"docs/a.md": "include docs/p.txt", "docs/p.txt": "include docs/q.txt", "docs/q.txt": "", "docs/b.md": ""},
            {"docs/p.txt": "output docs/b.md", "docs/q.txt": "include docs/a.md", "docs/b.md": "output docs/a.md"},
        ),
        (NESTED, {"docs/q.txt": "include docs/a.md"}),
        (NESTED, {"docs/p.txt": "include docs/q.txt\nmore", "docs/q.txt": "include docs/q.txt"}),
    ],
    ids=["no cycle", "not blocked", "not blocked by an include's need", "another cycle", "a cycle", "blocked"],
)
def test_the_result_equals_a_fresh_build(before: Texts, edits: Texts) -> None:
    world, other = switched(before, edits), fresh(before | edits)
    assert world.statuses() == other.statuses()
    done = [path for path, status in other.statuses().items() if status is Status.DONE]
    assert [world.outputs.texts.get(path) for path in done] == [other.outputs.texts.get(path) for path in done]


def test_a_blocked_document_with_the_same_inputs_is_not_rendered_to_find_out() -> None:
    world = at_rest({"docs/a.md": "output docs/b.md", "docs/b.md": "x"})
    world.save("docs/b.md", "fail")
    world.finish("docs/b.md")
    assert not world.running
    assert world.status("docs/a.md") is Status.BLOCKED


def test_a_document_rendered_to_find_out_is_blocked_if_it_still_reads_the_broken_one() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt\nmaybe docs/b.md", "docs/b.md": "x", "docs/p.txt": "one"})
    world.write("docs/b.md", "fail")
    world.write("docs/p.txt", "two")
    world.look()
    world.finish("docs/b.md")
    assert list(world.running) == ["docs/a.md"]
    assert world.settle() == []
    assert world.status("docs/a.md") is Status.BLOCKED
    assert world.outputs.texts["site/a.html"] == "one \nx "


def test_a_cycle_of_certain_edges_is_not_rendered_to_find_out() -> None:
    world = at_rest({"docs/a.md": "needs docs/b.md", "docs/b.md": "x"})
    world.save("docs/b.md", "needs docs/a.md")
    assert not world.running
    assert world.status("docs/a.md") is world.status("docs/b.md") is Status.FAILED


def there_and_back(needed: str) -> World:
    """A dependency that only rendering finds fails, then is saved as before together with its own dependency."""
    world = at_rest({"docs/a.md": "find-output docs/b.md", "docs/b.md": "one"})
    world.save("docs/a.md", "fail")
    world.settle()
    world.rendered.clear()
    world.write("docs/a.md", "find-output docs/b.md")
    world.write("docs/b.md", needed)
    world.look()
    world.settle()
    return world


@pytest.mark.parametrize("needed", ["two", "one ", "fail", "find-output docs/a.md", "output docs/a.md"])
def test_a_dependency_of_the_verified_trace_is_waited_for(needed: str) -> None:
    world, other = there_and_back(needed), fresh({"docs/a.md": "find-output docs/b.md", "docs/b.md": needed})
    assert {path for path, status in world.statuses().items() if status is Status.DONE} == set(other.rendered)
    assert {path: world.outputs.texts[path] for path in other.outputs.texts} == other.outputs.texts


def test_a_dependency_with_the_same_output_renders_nothing_again() -> None:
    assert there_and_back("one ").rendered == ["docs/b.md"]
