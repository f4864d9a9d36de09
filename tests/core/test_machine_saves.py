"""A save renders exactly what it affects."""

from __future__ import annotations

import pytest

from core.world import COMMAND_RULE, LAYOUT, PAGE_RULE, World, at_rest, now, with_recipe
from kahnd.core.model import DocumentId, Status
from kahnd.store.memory_store import MemoryStore

BOOK = {
    "docs/p.txt": "partial",
    "docs/a.md": "include docs/p.txt",
    "docs/b.md": "output docs/a.md",
    "docs/c.md": "output docs/b.md\nalso this",
    "docs/other.md": "alone",
}


def assert_as_known(world: World) -> None:
    """The database has what the machine has: facts, edges and edge hashes."""
    snapshot = now(world.store.load())
    assert {each.id: each for each in snapshot.documents} == {node.facts.id: node.facts for node in world.machine.graph}
    for node in world.machine.graph:
        stored = snapshot.dependencies.get(node.facts.id, ())
        assert [(each, each.hash) for each in stored] == [(each, each.hash) for each in node.dependencies]


def test_a_first_start_renders_everything_in_order() -> None:
    world = World(BOOK)
    world.start()
    assert set(world.running) == {"docs/a.md", "docs/other.md"}
    world.settle()
    assert world.outputs.texts["site/c.html"] == "partial \nalso this"
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.builds[-1].generations == 3
    assert_as_known(world)


def test_a_second_start_renders_nothing() -> None:
    world = at_rest(BOOK)
    world.start()
    assert world.settle() == []


def test_a_file_that_is_touched_during_a_first_build_keeps_its_dependencies_after_a_kill() -> None:
    world = World(BOOK | {"docs/d.cmd": "include docs/p.txt"})
    world.start()
    world.save("docs/d.cmd", "include docs/p.txt")
    world.flush()
    world.crash()
    world.start()
    world.settle()
    assert "partial" in world.outputs.texts["site/d.out"]
    assert_as_known(world)


def test_a_save_renders_exactly_the_transitive_dependents() -> None:
    world = at_rest(BOOK)
    world.save("docs/p.txt", "edited")
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert world.outputs.texts["site/c.html"] == "edited \nalso this"


def test_a_save_of_the_same_bytes_renders_nothing() -> None:
    world = at_rest(BOOK)
    world.save("docs/p.txt", BOOK["docs/p.txt"])
    assert not world.running
    assert not world.events("document.dirty")


def test_a_rendering_with_the_same_output_cuts_off_its_dependents() -> None:
    world = at_rest(BOOK)
    world.save("docs/a.md", "partial ")
    assert world.settle() == ["docs/a.md"]
    assert [each["document"] for each in world.events("document.skipped")] == ["docs/b.md", "docs/c.md"]


def test_a_plain_document_with_the_same_effective_hash_cuts_off_its_dependents() -> None:
    world = at_rest({**BOOK, "docs/q.txt": "output docs/a.md", "docs/d.md": "needs docs/q.txt"})
    world.save("docs/a.md", "partial ")
    assert world.settle() == ["docs/a.md"]


def test_a_plain_document_propagates_changes_of_its_dependencies() -> None:
    world = at_rest({"docs/p.txt": "one", "docs/q.txt": "include docs/p.txt", "docs/d.cmd": "include docs/q.txt"})
    world.save("docs/p.txt", "two")
    assert world.settle() == ["docs/d.cmd"]


def test_an_include_depends_on_the_source_of_a_rendered_document() -> None:
    world = at_rest({"docs/a.md": "pages docs/*.txt", "docs/b.md": "include docs/a.md", "docs/x.txt": ""})
    world.save("docs/y.txt", "a new member: the output of a.md changes, its source does not")
    assert world.settle() == ["docs/a.md", "docs/b.md"], "b.md expands the same collection"
    world.rendered.clear()
    world.save("docs/a.md", "changed")
    assert world.settle() == ["docs/a.md", "docs/b.md"]


def test_an_edit_undone_before_it_was_rendered_renders_nothing() -> None:
    world = at_rest(BOOK)
    world.save("docs/p.txt", "edited")
    world.save("docs/p.txt", "partial")
    assert world.settle() == []
    assert set(world.statuses().values()) == {Status.DONE}


def test_a_dropped_dependency_restored_before_a_rendering_is_known_again() -> None:
    """Edges that only rendering can find come back with the bytes they were found in."""
    world = at_rest({"docs/a.md": "find docs/p.txt", "docs/p.txt": "one"})
    world.save("docs/a.md", "nothing")
    world.save("docs/a.md", "find docs/p.txt")
    assert world.settle() == []
    world.save("docs/p.txt", "two")
    assert world.settle() == ["docs/a.md"]


def test_a_superseded_run_is_cancelled_and_its_late_result_dropped() -> None:
    world = at_rest(BOOK)
    world.save("docs/other.md", "two")
    world.compute("docs/other.md")
    world.save("docs/other.md", "three")
    assert len(world.cancelled) == 1
    world.deliver_late()
    assert world.outputs.texts["site/other.html"] == "alone "
    assert world.settle() == ["docs/other.md"]
    assert world.outputs.texts["site/other.html"] == "three "


def test_a_run_is_cancelled_when_a_dependency_changes() -> None:
    world = at_rest(BOOK)
    world.save("docs/a.md", "include docs/p.txt\nmore")
    world.compute("docs/a.md")
    world.save("docs/p.txt", "edited")
    assert len(world.cancelled) == 1
    world.settle()
    assert world.outputs.texts["site/a.html"] == "edited \nmore "


def test_a_dependency_that_changed_before_it_was_read_is_checked_first() -> None:
    world = at_rest(BOOK)
    world.save("docs/p.txt", "seen")
    world.write("docs/p.txt", "read")
    world.finish("docs/a.md")
    assert [order.paths for order in world.rechecks] == [("docs/p.txt",)]
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert world.outputs.texts["site/a.html"] == "read "


def test_a_document_that_changes_during_every_run_fails_after_some_retries() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt", "docs/p.txt": "0"})
    world.save("docs/p.txt", "1")
    for number in range(20):
        if "docs/a.md" not in world.running:
            break
        world.write("docs/p.txt", f"hidden {number}")
        world.finish("docs/a.md")
        world.sources.texts["docs/p.txt"] = "1"
        world.settle_rechecks()
    assert world.status("docs/a.md") is Status.FAILED
    assert world.problem("docs/a.md") == (
        "docs/a.md: docs/p.txt keeps changing while this is rendered (save it once more)"
    )


def test_a_run_that_read_an_unfinished_document_runs_again_after_it() -> None:
    world = at_rest({"docs/a.md": "one", "docs/b.md": "nothing yet"})
    world.write("docs/a.md", "two")
    world.write("docs/b.md", "find-output docs/a.md")
    world.look()
    assert set(world.running) == {"docs/a.md", "docs/b.md"}
    world.finish("docs/b.md")
    assert set(world.running) == {"docs/a.md"}
    world.finish("docs/a.md")
    assert world.settle() == ["docs/b.md"]
    assert world.outputs.texts["site/b.html"] == "two "


def test_the_reads_of_a_rendering_replace_scanned_dependencies() -> None:
    world = at_rest({"docs/a.md": "maybe docs/p.txt\nfind docs/q.txt", "docs/q.txt": "one"})
    world.save("docs/q.txt", "two")
    assert world.settle() == ["docs/a.md"]
    world.save("docs/p.txt", "appears")
    assert world.settle() == ["docs/a.md"]


def test_a_new_recipe_renders_only_the_documents_of_its_rule() -> None:
    world = at_rest({"docs/a.md": "one", "docs/d.cmd": "two", "docs/e.cmd": "three"})
    world.layout = with_recipe(COMMAND_RULE, "2")
    world.start()
    assert world.settle() == ["docs/d.cmd", "docs/e.cmd"]


def test_a_removed_rule_removes_its_outputs() -> None:
    world = at_rest({"docs/a.md": "one", "docs/d.cmd": "two"})
    world.layout = type(LAYOUT)(LAYOUT.sources, LAYOUT.output, (PAGE_RULE,))
    world.start()
    assert world.settle() == []
    assert world.removed == ["site/d.out"]
    assert set(world.outputs.texts) == {"site/a.html"}


def test_a_deleted_source_removes_its_output() -> None:
    world = at_rest(BOOK)
    world.remove("docs/other.md")
    assert world.settle() == []
    assert world.removed == ["site/other.html"]
    assert world.builds[-1].removed == 1


def test_an_altered_output_that_is_kept_does_not_count_as_removed() -> None:
    world = at_rest(BOOK)
    world.altered.add("site/other.html")
    world.remove("docs/other.md")
    assert world.settle() == []
    assert "site/other.html" in world.outputs.texts
    assert world.builds[-1].removed == 0
    assert world.events("document.removed") == []


def test_a_renamed_source_moves_its_output() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.write("docs/b.md", "one")
    world.delete("docs/a.md")
    world.look()
    assert world.settle() == ["docs/b.md"]
    assert set(world.outputs.texts) == {"site/b.html"}


def test_a_deleted_output_is_rendered_again() -> None:
    world = at_rest(BOOK)
    world.lose_output("site/b.html")
    assert world.settle() == ["docs/b.md"]
    assert world.events("document.dirty")[0]["reason"] == "its output is gone"


def test_an_altered_output_is_rendered_again() -> None:
    world = at_rest(BOOK)
    before = world.outputs.texts["site/b.html"]
    world.alter_output("site/b.html", "spoilt")
    assert world.settle() == ["docs/b.md"]
    assert world.outputs.texts["site/b.html"] == before
    assert world.events("document.dirty")[0]["reason"] == "its output was altered"


def test_an_output_damaged_twice_is_rendered_again_once() -> None:
    world = at_rest(BOOK)
    world.alter_output("site/b.html", "spoilt")
    world.lose_output("site/b.html")
    assert world.cancelled == []
    assert world.settle() == ["docs/b.md"]


def test_a_look_before_an_output_was_made_again_does_not_render_it_once_more() -> None:
    """Two looks find it absent, and the second one's report is late."""
    world = at_rest(BOOK)
    before = world.publications
    world.lose_output("site/b.html")
    assert world.settle() == ["docs/b.md"]
    world.observe_absent("site/b.html", published=before)
    assert world.settle() == []
    del world.outputs.texts["site/b.html"]
    world.observe_absent("site/b.html", published=world.publications)
    assert world.settle() == ["docs/b.md"]


def test_an_output_that_can_not_be_written_is_not_retried_at_every_check() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/a.md", "fail")
    world.settle()
    assert world.status("docs/a.md") is Status.FAILED
    world.lose_output("site/a.html")
    world.settle()
    builds = len(world.builds)
    world.observe_absent("site/a.html")
    world.settle()
    assert len(world.builds) == builds
    world.save("docs/a.md", "one")
    assert world.settle() == ["docs/a.md"]
    assert "site/a.html" in world.outputs.texts


def test_the_removal_of_a_foreign_file_renders_the_output_in_its_place() -> None:
    """Every time, since the file may return."""
    world = World({"docs/a.md": "one"})
    world.in_the_way.add("site/a.html")
    world.start()
    for _ in range(2):
        world.settle()
        assert world.status("docs/a.md") is Status.FAILED
        world.observe_absent("site/a.html")
    world.in_the_way.clear()
    world.observe_absent("site/a.html")
    world.settle()
    assert world.status("docs/a.md") is Status.DONE


def test_an_uncommitted_output_is_removed_with_its_document() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/b.md", "two")
    world.finish("docs/b.md")
    world.crash()
    assert "site/b.html" in world.outputs.texts
    world.delete("docs/b.md")
    world.start()
    world.settle()
    assert set(world.outputs.texts) == {"site/a.html"}
    assert world.removed == ["site/b.html"]
    assert [each["output"] for each in world.events("document.removed")] == ["site/b.html"]


def test_an_uncommitted_output_is_removed_with_its_document_later_too() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/b.md", "two")
    world.finish("docs/b.md")
    world.crash()
    world.start()
    world.remove("docs/b.md")
    world.settle()
    assert set(world.outputs.texts) == {"site/a.html"}
    assert world.removed == ["site/b.html"]


def test_an_output_deleted_while_nothing_ran_is_rendered_again() -> None:
    world = at_rest(BOOK)
    del world.outputs.texts["site/a.html"]
    world.start()
    assert world.settle() == ["docs/a.md"]


def test_a_crash_before_the_commit_renders_uncommitted_documents_again() -> None:
    world = at_rest(BOOK)
    world.save("docs/p.txt", "edited")
    world.finish("docs/a.md")
    world.flush()
    world.finish("docs/b.md")
    world.crash()
    world.start()
    assert world.settle() == ["docs/b.md", "docs/c.md"]


def test_no_more_run_at_once_than_there_are_slots() -> None:
    world = World({f"docs/{number}.md": "" for number in range(5)}, slots=2)
    world.start()
    assert len(world.running) == 2
    world.finish(next(iter(world.running)))
    assert len(world.running) == 2
    assert len(world.settle()) == 4


def test_a_chain_of_a_thousand_is_rendered_from_its_first() -> None:
    chain = {f"docs/{number}.md": f"output docs/{number - 1}.md" for number in range(1, 1000)}
    world = at_rest({**chain, "docs/0.md": "one"})
    world.save("docs/0.md", "two")
    assert len(world.settle()) == 1000
    assert world.outputs.texts["site/999.html"] == "two "
    assert world.builds[-1].generations == 1000


def test_short_jobs_are_given_out_before_a_worker_is_free() -> None:
    world = World({f"docs/{number}.md": "" for number in range(9)}, slots=2)
    world.takes_ms = 1.0
    world.start()
    assert len(world.running) == 2, "nothing is known of them yet"
    world.finish(next(iter(world.running)))
    assert len(world.running) == 2, "one of unknown length is still out"
    world.finish(next(iter(world.running)))
    assert len(world.running) == 4, "one for each worker, and one more"


def test_long_jobs_wait_until_a_worker_is_free() -> None:
    world = World({f"docs/{number}.md": "" for number in range(9)}, slots=2)
    world.start()
    for _ in range(4):
        world.finish(next(iter(world.running)))
        assert len(world.running) == 2


def test_a_speculative_rendering_is_not_repeated() -> None:
    world = at_rest(BOOK)
    world.save("docs/a.md", "edited")
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert not world.cancelled


def test_a_speculative_rendering_is_cancelled_if_the_document_has_to_wait() -> None:
    """All its dependencies were DONE; then the database says that the save affects one of them, in a circle."""
    world = at_rest({"docs/a.md": "alone", "docs/b.md": "output docs/a.md"})
    world.save("docs/a.md", "output docs/b.md")
    assert len(world.cancelled) == 1
    assert world.settle() == []
    assert world.status("docs/a.md") is Status.FAILED
    world.save("docs/a.md", "alone again")
    assert world.settle() == ["docs/a.md", "docs/b.md"]


def test_a_save_during_a_first_build_reaches_dependents_that_the_database_does_not_know_yet() -> None:
    world = World({"docs/p.txt": "one", "docs/a.cmd": "include docs/p.txt", "docs/b.md": "alone"})
    world.start()
    world.compute("docs/a.cmd")
    world.save("docs/p.txt", "two")
    assert len(world.cancelled) == 1, "it has read what is no more"
    world.settle()
    assert "two" in world.outputs.texts["site/a.out"]
    assert_as_known(world)


def test_a_first_build_writes_missing_documents() -> None:
    world = World({"docs/a.md": "include docs/p.txt"})
    world.start()
    world.settle()
    world.crash()
    world.start()
    world.save("docs/p.txt", "here")
    assert world.settle() == ["docs/a.md"]
    assert_as_known(world)


def test_titles_that_only_rendering_finds_stay_known_until_the_next_one() -> None:
    """A layout may show a hundred of them: the database need not drop and add them for each save."""
    titles = {"docs/b.md": "B", "docs/c.md": "C"}
    world = at_rest({"docs/a.md": "find-title docs/b.md\nfind-title docs/c.md", **titles})
    world.save("docs/a.md", "find-title docs/c.md")
    assert {each.target for each in world.machine.graph[DocumentId("docs/a.md")].dependencies} == titles.keys()
    world.settle()
    assert {each.target for each in world.machine.graph[DocumentId("docs/a.md")].dependencies} == {"docs/c.md"}
    world.save("docs/b.md", "another")
    assert world.settle() == ["docs/b.md"]


def test_titles_that_the_last_rendering_found_do_not_stay_if_there_is_no_next_one() -> None:
    world = at_rest({"docs/a.md": "find-title docs/b.md", "docs/b.md": "B"})
    world.save("docs/a.md", "needs docs/p.txt")
    world.settle()
    assert world.status("docs/a.md") is Status.BLOCKED
    world.remove("docs/b.md")
    world.settle()
    assert DocumentId("docs/b.md") not in world.machine.graph


@pytest.mark.parametrize("text", ["hidden", "slug b\nfail", None])
def test_an_output_that_the_journal_alone_knows_goes_when_its_document_is_hidden_or_moved_or_gone(
    text: str | None,
) -> None:
    world = at_rest({"docs/a.md": "one"})
    world.store = MemoryStore()
    world.write("docs/a.md", "fail")
    world.start()
    world.settle()
    assert "site/a.html" in world.outputs.texts
    world.save("docs/a.md", text) if text else world.remove("docs/a.md")
    world.settle()
    assert world.outputs.texts == {}
