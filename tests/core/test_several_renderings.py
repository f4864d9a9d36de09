"""Rules with `also = true`: each rendering of a document is made, kept, failed and removed by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from core.language import hash_of
from core.world import LAYOUT, PRINT_RULE, RAW_RULE, SEVERAL, SEVERAL_ELSEWHERE, World, at_rest
from kahnd.core.builds import Tally, report
from kahnd.core.explanation import plan_build
from kahnd.core.model import DocumentId, Status
from kahnd.core.renderings import document_of, is_rendering
from kahnd.core.rules import Layout

PRINT: Final = DocumentId("docs/a.md//print/{name}")
PATTERN: Final = "{name}.raw"


def made(world: World) -> dict[str, str]:
    return dict(sorted(world.outputs.texts.items()))


def restarted(world: World, layout: Layout) -> list[str]:
    world.layout = layout
    world.start()
    return world.settle()


def test_a_document_is_rendered_by_its_own_rule_and_by_those_beside_it() -> None:
    world = at_rest({"docs/b.md": "b"}, SEVERAL)
    assert made(world) == {"site/b.html": "b ", "site/b.md.raw": "b", "site/print/b.md": "b "}
    world.save("docs/b.md", "c")
    assert world.settle() == ["docs/b.md", "docs/b.md//print/{name}", f"docs/b.md//{PATTERN}"]
    assert made(world) == {"site/b.html": "c ", "site/b.md.raw": "c", "site/print/b.md": "c "}


def test_where_no_other_rule_fits_the_first_beside_is_its_rule() -> None:
    world = at_rest({"docs/p.txt": "p", "docs/x.txt": "x"}, SEVERAL)
    assert world.statuses() == dict.fromkeys(["docs/p.txt", "docs/x.txt", f"docs/x.txt//{PATTERN}"], Status.DONE)
    assert made(world) == {"site/p.txt.raw": "p", "site/print/x.txt": "x ", "site/x.txt.raw": "x"}


def test_a_document_counts_once_by_its_worst_rendering() -> None:
    world = at_rest({"docs/a.md": "unprintable", "docs/c.md": "c"}, SEVERAL)
    graph = world.machine.graph
    assert {each: number for each, number in graph.counts.items() if number} == {Status.FAILED: 1, Status.DONE: 1}
    assert world.status("docs/a.md") is Status.DONE
    ticket = world.ask(retry=True)
    world.settle()
    ((document, problem),) = world.answers[ticket].failed
    assert (document, problem.message) == ("docs/a.md", "site/print/a.md: told to fail")
    world.save("docs/a.md", "mended")
    world.settle()
    assert {each: number for each, number in graph.counts.items() if number} == {Status.DONE: 2}
    world.remove("docs/a.md")
    world.settle()
    assert {each: number for each, number in graph.counts.items() if number} == {Status.DONE: 1}


def test_reports_and_log_lines_name_documents_only() -> None:
    sources = {"docs/a.md": "one", "docs/b.md": "two", "docs/c.md": "piece docs/a.md:site/print/a.md"}
    world = World(sources, SEVERAL)
    world.start(world.asked())
    world.settle()
    (first,) = world.answers.values()
    assert sorted(first.rendered) == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert world.builds[0].rendered == 3
    world.save("docs/a.md", "unprintable")
    world.settle()
    told = report(world.machine.graph, Tally())
    assert [each for each, _ in told.failed] == ["docs/a.md"]
    assert [each[:2] for each in told.blocked] == [("docs/c.md", "docs/a.md")]
    assert "//" not in str([dict(each.fields) for each in world.logged])
    assert "//" not in f"{told}{world.answers}"
    outputs = {each["output"] for each in world.events("document.rendered") if each["document"] == "docs/a.md"}
    assert outputs == {"site/a.html", "site/print/a.md"}


def test_a_dependent_of_one_rendering_is_not_rendered_for_another() -> None:
    """The command's output changes with the text that the page only reads."""
    sources = {"docs/b.md": "x", "docs/c.md": "piece docs/b.md:site/print/b.md", "docs/e.md": "output docs/b.md"}
    world = at_rest(sources, SEVERAL)
    assert world.outputs.texts["site/c.html"] == "x "
    world.lose_output("site/print/b.md")
    assert world.settle() == ["docs/b.md//print/{name}"]
    world.save("docs/b.md", "y")
    assert {"docs/c.md", "docs/e.md"} <= set(world.settle())


def test_a_failing_rendering_blocks_only_what_uses_it() -> None:
    sources = {
        "docs/a.md": "unprintable",
        "docs/c.md": "piece docs/a.md:site/print/a.md",
        "docs/e.md": "output docs/a.md",
    }
    world = at_rest(sources, SEVERAL)
    assert world.status("docs/c.md") is Status.BLOCKED
    assert world.status("docs/e.md") is Status.DONE
    assert world.problem("docs/c.md").startswith("docs/c.md:1: needs docs/a.md")
    world.save("docs/a.md", "printable")
    world.settle()
    assert world.outputs.texts["site/c.html"] == "printable "


def test_a_removed_or_hidden_document_takes_all_its_outputs_with_it() -> None:
    world = at_rest({"docs/a.md": "a", "docs/b.md": "b"}, SEVERAL)
    world.save("docs/a.md", "hidden")
    world.remove("docs/b.md")
    world.settle()
    assert made(world) == {}
    assert [each for each in world.statuses() if is_rendering(DocumentId(each))] == [PRINT]
    world.save("docs/a.md", "a")
    world.settle()
    assert made(world) == {"site/a.html": "a ", "site/print/a.md": "a "}


def test_a_new_rule_beside_renders_only_its_outputs_and_a_removed_one_removes_them() -> None:
    world = at_rest({"docs/a.md": "a", "docs/c.md": "c"})
    assert restarted(world, SEVERAL) == [PRINT]
    assert made(world) == {"site/a.html": "a ", "site/c.html": "c ", "site/print/a.md": "a "}
    assert restarted(world, LAYOUT) == []
    assert made(world) == {"site/a.html": "a ", "site/c.html": "c "}
    assert PRINT not in world.machine.graph


def test_an_edited_pattern_moves_the_outputs() -> None:
    world = at_rest({"docs/a.md": "a"}, SEVERAL)
    assert restarted(world, SEVERAL_ELSEWHERE) == ["docs/a.md//paper/{name}"]
    assert made(world) == {"site/a.html": "a ", "site/paper/a.md": "a "}


def test_a_rule_that_begins_to_apply_beside_leaves_other_outputs() -> None:
    first = replace(LAYOUT, rules=(replace(PRINT_RULE, index=0),))
    both = replace(LAYOUT, rules=(LAYOUT.rules[0], replace(PRINT_RULE, index=1)))
    world = at_rest({"docs/a.md": "a"}, first)
    assert made(world) == {"site/print/a.md": "a "}
    restarted(world, both)
    assert made(world) == {"site/a.html": "a ", "site/print/a.md": "a "}
    restarted(world, first)
    assert made(world) == {"site/print/a.md": "a "}


def test_a_page_that_names_an_output_follows_the_rules() -> None:
    sources = {"docs/a.md": "a", "docs/c.md": "piece docs/a.md:site/print/a.md"}
    world = at_rest(sources)
    assert world.status("docs/c.md") is Status.FAILED
    restarted(world, SEVERAL)
    assert world.outputs.texts["site/c.html"] == "a "
    restarted(world, LAYOUT)
    assert world.status("docs/c.md") is Status.FAILED


@pytest.mark.parametrize("lost", ["docs/a.md", PRINT])
def test_a_crash_between_the_results_of_two_renderings_loses_neither(lost: str) -> None:
    world = World({"docs/a.md": "a"}, SEVERAL)
    world.start()
    while world.running:
        world.finish(next(iter(world.running)))
    world._pending = [each for each in world._pending if each.facts.id != lost]
    world.flush()
    world.write("docs/a.md", "b")
    assert restarted(world, SEVERAL) == ["docs/a.md", PRINT]
    assert made(world) == {"site/a.html": "b ", "site/print/a.md": "b "}


def test_a_document_that_went_while_only_a_rendering_was_recorded_takes_it_along() -> None:
    world = World({"docs/a.md": "a"}, SEVERAL)
    world.start()
    while world.running:
        world.finish(next(iter(world.running)))
    world._pending = [each for each in world._pending if each.facts.id == PRINT]
    world.flush()
    world.delete("docs/a.md")
    restarted(world, SEVERAL)
    assert made(world) == {}
    assert PRINT not in world.machine.graph


def test_two_renderings_of_one_document_to_one_path_fail() -> None:
    clashing = replace(LAYOUT, rules=(*LAYOUT.rules, replace(PRINT_RULE, output="{stem}.html")))
    world = at_rest({"docs/a.md": "a"}, clashing)
    assert set(world.statuses().values()) == {Status.FAILED}
    assert world.problem("docs/a.md").startswith("docs/a.md: docs/a.md renders by two rules to site/a.html")


def test_two_rules_of_one_pattern_are_two_renderings() -> None:
    twice = replace(LAYOUT, rules=(*LAYOUT.rules, PRINT_RULE, replace(PRINT_RULE, index=6)))
    world = at_rest({"docs/a.md": "a"}, twice)
    assert len(world.statuses()) == 3
    assert world.status("docs/a.md") is Status.DONE
    assert {document_of(DocumentId(each)) for each in world.statuses()} == {"docs/a.md"}


def test_renderings_are_in_no_collection_and_similar_to_nothing() -> None:
    world = at_rest({"docs/a.md": "a", "docs/c.md": "pages docs/*"}, SEVERAL)
    assert world.machine.graph.similar_to("docs/A.md//print/{name}") is None
    assert world.outputs.texts["site/c.html"].count("[") == 2


def test_a_plan_has_each_rendering() -> None:
    world = World({"docs/a.md": "a"}, SEVERAL, slots=0)
    world.start()
    assert plan_build(world.machine).generations == (("docs/a.md", PRINT),)


def test_a_command_beside_that_keeps_its_documents_writing_is_stopped() -> None:
    """Its runs and those by the document's own rule share the path of changes."""
    world = at_rest({"docs/b.md": "b"}, SEVERAL)
    loops = world.machine._loops
    rendering = DocumentId(f"docs/b.md//{PATTERN}")
    for _ in range(6):
        loops.changed([DocumentId("docs/b.md"), rendering], {DocumentId("docs/b.md"): (DocumentId("docs/b.md"),)})
        loops.propagated([DocumentId("docs/b.md"), rendering])
    problem = loops.loop_problem(rendering)
    assert problem is not None
    assert problem.file == "docs/b.md"


def test_an_unchanged_recipe_renders_nothing_at_a_start() -> None:
    world = at_rest({"docs/a.md": "a", "docs/b.md": "b", "docs/c.md": "piece docs/a.md:site/print/a.md"}, SEVERAL)
    assert restarted(world, SEVERAL) == []
    assert world.machine.to_rescan == frozenset()
    changed = replace(SEVERAL, rules=(*SEVERAL.rules[:-1], replace(RAW_RULE, recipe=hash_of("2"))))
    assert restarted(world, changed) == [f"docs/b.md//{PATTERN}"]


def test_what_a_document_declares_is_declared_once_and_rendered_by_each_rule() -> None:
    world = at_rest({"docs/a.md": "declare docs/t/x.md mine"}, SEVERAL)
    assert set(world.statuses().values()) == {Status.DONE}
    assert {"site/t/x.html", "site/print/x.md"} <= made(world).keys()
    world.save("docs/a.md", "x")
    world.settle()
    assert made(world).keys() == {"site/a.html", "site/print/a.md"}
