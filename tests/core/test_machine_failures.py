"""Failure is contained, and mended exactly; cycles never hang."""

from __future__ import annotations

import pytest

from core.world import World, at_rest
from kahnd.core.model import Status

CHAIN = {
    "docs/a.md": "fail",
    "docs/b.md": "output docs/a.md",
    "docs/c.md": "output docs/b.md",
    "docs/other.md": "alone",
}


def test_a_failure_blocks_its_transitive_dependents_with_the_culprit_s_name() -> None:
    world = at_rest(CHAIN)
    assert world.statuses() == {
        "docs/a.md": Status.FAILED,
        "docs/b.md": Status.BLOCKED,
        "docs/c.md": Status.BLOCKED,
        "docs/other.md": Status.DONE,
    }
    assert world.problem("docs/a.md") == "docs/a.md: told to fail"
    assert world.because("docs/c.md") == "docs/a.md"
    assert world.problem("docs/c.md") == "docs/c.md:1: needs docs/b.md, which is blocked by docs/a.md"


def test_mended_exactly_the_failed_and_the_blocked_are_rendered() -> None:
    world = at_rest(CHAIN)
    world.save("docs/a.md", "mended")
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert set(world.statuses().values()) == {Status.DONE}


def test_a_failure_leaves_the_last_good_output_and_its_return_renders_nothing() -> None:
    world = at_rest({"docs/a.md": "good", "docs/b.md": "output docs/a.md"})
    world.save("docs/a.md", "fail")
    assert world.settle() == []
    assert world.outputs.texts == {"site/a.html": "good ", "site/b.html": "good "}
    world.save("docs/a.md", "good")
    assert world.settle() == []
    assert set(world.statuses().values()) == {Status.DONE}


def test_what_includes_the_source_of_a_failed_document_is_blocked_however_it_was_found() -> None:
    """Whether the rendering that found it was earlier or later than the failure makes no difference."""
    for order in (("docs/a.md", "docs/b.md"), ("docs/b.md", "docs/a.md")):
        world = World({"docs/a.md": "find docs/p.txt", "docs/p.txt": "fail", "docs/b.md": "find docs/a.md"})
        world.start()
        for document in order:
            world.finish(document)
        world.settle()
        assert world.statuses()["docs/b.md"] is Status.BLOCKED


def test_what_a_failed_rendering_found_is_a_dependency_too() -> None:
    world = at_rest({"docs/a.md": "find docs/p.txt", "docs/p.txt": "fail"})
    assert world.status("docs/a.md") is Status.FAILED
    world.save("docs/p.txt", "mended")
    assert world.settle() == ["docs/a.md"]


def test_a_failed_document_is_not_tried_again_at_the_next_start() -> None:
    world = at_rest(CHAIN)
    world.start()
    assert not world.running
    assert world.status("docs/a.md") is Status.FAILED


def test_a_document_that_needs_itself_fails_with_its_path() -> None:
    world = at_rest({"docs/a.md": "include docs/a.md", "docs/other.md": ""})
    assert world.status("docs/a.md") is Status.FAILED
    assert world.problem("docs/a.md") == "docs/a.md: depends on itself: docs/a.md → docs/a.md (break the cycle)"
    assert world.status("docs/other.md") is Status.DONE


def test_a_document_that_finds_itself_fails_with_its_path_at_once() -> None:
    world = at_rest({"docs/a.md": "find-output docs/a.md"})
    assert "depends on itself: docs/a.md → docs/a.md" in world.problem("docs/a.md")


def test_the_members_of_a_cycle_fail_what_needs_them_is_blocked_and_the_rest_goes_on() -> None:
    world = at_rest(
        {
            "docs/a.md": "output docs/b.md",
            "docs/b.md": "output docs/a.md",
            "docs/c.md": "output docs/a.md",
            "docs/other.md": "",
        }
    )
    assert world.statuses() == {
        "docs/a.md": Status.FAILED,
        "docs/b.md": Status.FAILED,
        "docs/c.md": Status.BLOCKED,
        "docs/other.md": Status.DONE,
    }
    assert [each["cycle"] for each in world.events("cycle.found")] == []
    world.start()
    world.settle()
    assert [each["cycle"] for each in world.events("cycle.found")] == [["docs/a.md", "docs/b.md", "docs/a.md"]]


def test_overlapping_cycles_are_one_knot_and_separate_ones_are_two() -> None:
    world = at_rest(
        {
            "docs/a.md": "output docs/b.md",
            "docs/b.md": "output docs/a.md\noutput docs/c.md",
            "docs/c.md": "output docs/b.md",
            "docs/x.md": "output docs/y.md",
            "docs/y.md": "output docs/x.md",
        }
    )
    assert set(world.statuses().values()) == {Status.FAILED}
    ticket = world.ask()
    assert world.answers[ticket].cycles == (
        ("docs/a.md", "docs/b.md", "docs/a.md"),
        ("docs/x.md", "docs/y.md", "docs/x.md"),
    )


def test_breaking_a_cycle_renders_its_members_and_what_was_blocked() -> None:
    world = at_rest({"docs/a.md": "output docs/b.md", "docs/b.md": "output docs/a.md", "docs/c.md": "output docs/a.md"})
    world.save("docs/b.md", "broken")
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert set(world.statuses().values()) == {Status.DONE}


def test_a_cycle_closed_by_a_discovered_dependency_is_found() -> None:
    world = at_rest({"docs/a.md": "find-output docs/b.md", "docs/b.md": "output docs/a.md"})
    assert set(world.statuses().values()) == {Status.FAILED}
    world.save("docs/a.md", "broken")
    assert world.settle() == ["docs/a.md", "docs/b.md"]


def test_a_cycle_of_plain_documents_blocks_what_includes_them() -> None:
    world = at_rest(
        {"docs/p.txt": "include docs/q.txt", "docs/q.txt": "include docs/p.txt", "docs/a.md": "maybe docs/p.txt"}
    )
    assert world.status("docs/p.txt") is world.status("docs/q.txt") is Status.FAILED
    assert world.status("docs/a.md") is Status.BLOCKED


def test_a_cycle_that_was_there_at_the_last_end_is_found_anew_at_a_start() -> None:
    world = at_rest({"docs/a.md": "output docs/b.md", "docs/b.md": "output docs/a.md"})
    world.start()
    world.settle()
    assert world.machine.graph[next(iter(world.machine.graph)).facts.id].cycle


def test_what_may_be_on_a_cycle_and_needs_another_for_sure_is_blocked_by_that() -> None:
    world = World({"docs/b.md": "maybe docs/b.md\ninclude docs/c.md", "docs/c.md": "include docs/c.md"})
    world.start()
    world.settle()
    assert world.status("docs/c.md") is Status.FAILED
    assert world.status("docs/b.md") is Status.BLOCKED
    assert world.because("docs/b.md") == "docs/c.md"


@pytest.mark.parametrize(
    "sources",
    [
        {"docs/p.txt": "maybe docs/q.txt", "docs/q.txt": "maybe docs/p.txt"},
        {"docs/p.txt": "include docs/q.txt", "docs/q.txt": "maybe docs/p.txt"},
        {"docs/p.txt": "maybe docs/p.txt"},
        {"docs/p.txt": "maybe docs/b.md", "docs/b.md": "fail"},
    ],
)
def test_conditional_includes_of_plain_documents_are_no_cycle_and_block_nothing(sources: dict[str, str]) -> None:
    world = World(sources | {"docs/a.md": "title docs/p.txt"})
    world.start()
    world.settle()
    expected = Status.FAILED if sources.get("docs/b.md") == "fail" else Status.DONE
    statuses = world.statuses()
    assert {statuses[each] for each in ("docs/a.md", "docs/p.txt")} == {Status.DONE}
    assert statuses.get("docs/b.md", expected) is expected
