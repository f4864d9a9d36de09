"""Failures are contained, a fix renders exactly the failed and the blocked, and cycles never hang."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.scenes import Scene
from core.world import World, at_rest
from kahnd.core.model import DocumentId, Status

CHAIN = {
    "docs/a.md": "fail",
    "docs/b.md": "output docs/a.md",
    "docs/c.md": "output docs/b.md",
    "docs/other.md": "alone",
}


def test_a_failure_blocks_its_transitive_dependents_and_names_the_culprit() -> None:
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


def test_a_fix_renders_exactly_the_failed_and_the_blocked_documents() -> None:
    world = at_rest(CHAIN)
    world.save("docs/a.md", "mended")
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert set(world.statuses().values()) == {Status.DONE}


def test_a_failure_leaves_the_last_good_output_and_an_undo_renders_nothing() -> None:
    world = at_rest({"docs/a.md": "good", "docs/b.md": "output docs/a.md"})
    world.save("docs/a.md", "fail")
    assert world.settle() == []
    assert world.outputs.texts == {"site/a.html": "good ", "site/b.html": "good "}
    world.save("docs/a.md", "good")
    assert world.settle() == []
    assert set(world.statuses().values()) == {Status.DONE}


def test_an_include_of_a_failed_document_blocks_whenever_it_was_found() -> None:
    """It makes no difference whether the rendering that found it was earlier or later than the failure."""
    for order in (("docs/a.md", "docs/b.md"), ("docs/b.md", "docs/a.md")):
        world = World({"docs/a.md": "find docs/p.txt", "docs/p.txt": "fail", "docs/b.md": "find docs/a.md"})
        world.start()
        for document in order:
            world.finish(document)
        world.settle()
        assert world.statuses()["docs/b.md"] is Status.BLOCKED


def test_a_failed_rendering_adds_dependencies_too() -> None:
    world = at_rest({"docs/a.md": "find docs/p.txt", "docs/p.txt": "fail"})
    assert world.status("docs/a.md") is Status.FAILED
    world.save("docs/p.txt", "mended")
    assert world.settle() == ["docs/a.md"]


def test_a_failed_document_is_not_rendered_again_at_the_next_start() -> None:
    world = at_rest(CHAIN)
    world.start()
    assert not world.running
    assert world.status("docs/a.md") is Status.FAILED


def test_a_document_that_depends_on_itself_fails_with_its_path() -> None:
    world = at_rest({"docs/a.md": "include docs/a.md", "docs/other.md": ""})
    assert world.status("docs/a.md") is Status.FAILED
    assert world.problem("docs/a.md") == "docs/a.md: depends on itself: docs/a.md → docs/a.md (break the cycle)"
    assert world.status("docs/other.md") is Status.DONE


def test_a_document_that_discovers_itself_fails_with_its_path_at_once() -> None:
    world = at_rest({"docs/a.md": "find-output docs/a.md"})
    assert "depends on itself: docs/a.md → docs/a.md" in world.problem("docs/a.md")


def test_the_members_of_a_cycle_fail_their_dependents_are_blocked_and_the_rest_goes_on() -> None:
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


def test_overlapping_cycles_are_found_as_one_and_separate_ones_as_two() -> None:
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


def test_breaking_a_cycle_renders_its_members_and_the_blocked_documents() -> None:
    world = at_rest({"docs/a.md": "output docs/b.md", "docs/b.md": "output docs/a.md", "docs/c.md": "output docs/a.md"})
    world.save("docs/b.md", "broken")
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert set(world.statuses().values()) == {Status.DONE}


def test_a_cycle_closed_by_a_discovered_dependency_is_found() -> None:
    world = at_rest({"docs/a.md": "find-output docs/b.md", "docs/b.md": "output docs/a.md"})
    assert set(world.statuses().values()) == {Status.FAILED}
    world.save("docs/a.md", "broken")
    assert world.settle() == ["docs/a.md", "docs/b.md"]


def test_a_cycle_of_plain_documents_blocks_their_dependents() -> None:
    world = at_rest(
        {"docs/p.txt": "include docs/q.txt", "docs/q.txt": "include docs/p.txt", "docs/a.md": "maybe docs/p.txt"}
    )
    assert world.status("docs/p.txt") is world.status("docs/q.txt") is Status.FAILED
    assert world.status("docs/a.md") is Status.BLOCKED


def test_a_known_cycle_is_found_again_at_a_start() -> None:
    world = at_rest({"docs/a.md": "output docs/b.md", "docs/b.md": "output docs/a.md"})
    world.start()
    world.settle()
    assert world.machine.graph[next(iter(world.machine.graph)).facts.id].cycle


def test_a_certain_dependency_on_a_cycle_blocks_a_document_that_may_be_on_another() -> None:
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
def test_conditional_includes_of_plain_documents_make_no_cycle_and_block_nothing(sources: dict[str, str]) -> None:
    world = World(sources | {"docs/a.md": "title docs/p.txt"})
    world.start()
    world.settle()
    expected = Status.FAILED if sources.get("docs/b.md") == "fail" else Status.DONE
    statuses = world.statuses()
    assert {statuses[each] for each in ("docs/a.md", "docs/p.txt")} == {Status.DONE}
    assert statuses.get("docs/b.md", expected) is expected


@pytest.mark.parametrize("reference", ["page docs/b.md", "pages docs/b*.md", "titles docs/b*.md"])
def test_a_document_that_its_scan_refuses_is_named_by_one_that_reads_its_text(reference: str) -> None:
    scene = Scene("docs/b.md", {"docs/a.md": reference, "docs/b.md": "Title"})
    assert scene.status("docs/a.md") is Status.DONE
    scene.save("docs/b.md", "Another")
    scene.lock()
    scene.settle()
    assert scene.problem("docs/a.md") == "docs/b.md: can't be read"
    scene.edit("Mended")
    scene.settle()
    assert (scene.status("docs/a.md"), scene.status("docs/b.md")) == (Status.DONE, Status.DONE)


WARNED = {"docs/a.md": "include docs/p.txt\nwarn odd", "docs/p.txt": "part"}


def _warnings(world: World) -> list[str]:
    """The warnings that stand now, as a request is told them."""
    ticket = world.ask()
    world.settle()
    return [str(problem) for _, problem in world.answers[ticket].warnings]


def test_a_warning_stands_until_a_rendering_is_without_it() -> None:
    world = World(WARNED)
    world.start()
    assert _warnings(world) == ["docs/a.md:2: odd"]
    (line,) = world.events("document.warned")
    assert (line["document"], line["message"], line["file"], line["line"]) == ("docs/a.md", "odd", "docs/a.md", 2)
    world.save("docs/p.txt", "other part")
    assert world.settle() == ["docs/a.md"]
    assert _warnings(world) == ["docs/a.md:2: odd"]
    world.save("docs/a.md", "nothing")
    assert _warnings(world) == []


def test_a_warning_outlives_a_restart_and_a_skip() -> None:
    world = at_rest(WARNED)
    world.start()
    assert world.settle() == []
    assert _warnings(world) == ["docs/a.md:2: odd"]


def test_a_broken_document_is_not_warned_of_and_its_undo_brings_the_warning_back() -> None:
    world = at_rest(WARNED)
    world.save("docs/p.txt", "fail")
    assert _warnings(world) == []
    assert world.status("docs/a.md") is Status.FAILED
    world.save("docs/p.txt", "part")
    assert world.settle() == []
    assert _warnings(world) == ["docs/a.md:2: odd"]
    world.save("docs/a.md", "fail")
    assert _warnings(world) == []
    world.save("docs/a.md", WARNED["docs/a.md"])
    assert world.settle() == []
    assert _warnings(world) == ["docs/a.md:2: odd"]


def test_a_document_without_a_rule_and_a_removed_one_are_not_warned_of() -> None:
    world = at_rest(WARNED)
    world.layout = replace(world.layout, rules=())
    world.start()
    assert _warnings(world) == []
    assert world.machine.graph[DocumentId("docs/a.md")].facts.warnings == ()
    world = at_rest(WARNED)
    world.remove("docs/a.md")
    assert _warnings(world) == []


def test_a_changed_text_is_not_warned_of_with_the_lines_of_the_one_before() -> None:
    world = at_rest(WARNED)
    world.save("docs/a.md", "one\n" + WARNED["docs/a.md"])
    assert world.machine.graph[DocumentId("docs/a.md")].facts.standing_warnings == ()
    assert _warnings(world) == ["docs/a.md:3: odd"]


def test_a_request_is_told_the_warnings_of_its_targets_alone() -> None:
    world = at_rest({**WARNED, "docs/b.md": "warn other"})
    ticket = world.ask("docs/b.md")
    world.settle()
    assert [str(problem) for _, problem in world.answers[ticket].warnings] == ["docs/b.md:1: other"]
