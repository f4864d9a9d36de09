"""Documents with several outputs, or with a folder of them: what is made, removed, contested, and what uses one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from core.language import hash_of
from core.world import BOX_RULE, LAYOUT, TWO_RULE, World, at_rest
from kahnd.core.model import Status
from kahnd.core.rules import Layout
from kahnd.store.memory_store import MemoryStore

TWO: Final = "in one 1\nin two 2"
BOX: Final = "in a A\nin sub/b B"


def _made(world: World) -> dict[str, str]:
    return dict(sorted(world.outputs.texts.items()))


def test_all_outputs_of_a_list_are_made() -> None:
    world = at_rest({"docs/x.two": TWO})
    assert _made(world) == {"site/x.one": "1", "site/x.two": "2"}
    world.save("docs/x.two", "in one 1\nin two 3")
    assert world.settle() == ["docs/x.two"]
    assert _made(world) == {"site/x.one": "1", "site/x.two": "3"}
    assert world.events("document.rendered")[-1]["outputs"] == ["site/x.one", "site/x.two"]


def test_a_single_output_is_logged_as_before() -> None:
    world = at_rest({"docs/x.md": "x"})
    world.save("docs/x.md", "y")
    world.settle()
    assert "outputs" not in world.events("document.rendered")[-1]


def test_what_a_folder_no_longer_holds_is_removed() -> None:
    world = at_rest({"docs/x.box": BOX})
    assert _made(world) == {"site/x/a": "A", "site/x/sub/b": "B"}
    world.save("docs/x.box", "in a A\nin c C")
    world.settle()
    assert _made(world) == {"site/x/a": "A", "site/x/c": "C"}
    assert world.removed == ["site/x/sub/b"]


@pytest.mark.parametrize("source", ["docs/x.two", "docs/x.box"])
def test_a_removed_source_takes_all_its_outputs_with_it(source: str) -> None:
    world = at_rest({source: TWO})
    world.remove(source)
    world.settle()
    assert _made(world) == {}


@pytest.mark.parametrize(("before", "after"), [("in a A", "in a/b B"), ("in a/b B\nin a/c C", "in a A")])
def test_a_file_and_a_folder_change_places(before: str, after: str) -> None:
    world = at_rest({"docs/x.box": before})
    world.save("docs/x.box", after)
    world.settle()
    assert list(_made(world)) == [f"site/x/{after.split()[1]}"]
    assert world.removed == [f"site/x/{line.split()[1]}" for line in before.split("\n")]


@pytest.mark.parametrize("lost", ["site/x.one", "site/x.two"])
def test_each_output_that_is_lost_is_made_again(lost: str) -> None:
    world = at_rest({"docs/x.two": TWO})
    world.lose_output(lost)
    assert world.settle() == ["docs/x.two"]
    assert list(_made(world)) == ["site/x.one", "site/x.two"]


def test_each_output_that_is_altered_is_noticed_after_a_restart() -> None:
    world = at_rest({"docs/x.box": BOX})
    world.flush()
    world.outputs.write("site/x/sub/b", "altered")
    world.start()
    assert world.settle() == ["docs/x.box"]
    assert _made(world)["site/x/sub/b"] == "B"
    world.start()
    assert world.settle() == []


def test_a_kill_between_two_outputs_is_made_good_at_the_next_start() -> None:
    world = at_rest({"docs/x.box": BOX})
    world.save("docs/x.box", "in a A2\nin c C")
    world.compute("docs/x.box")
    world.outputs.write("site/x/a", "A2")  # published; the kill comes before the second, and before any commit
    world.outputs.write("site/x/later", "of a rendering that was never recorded")
    world.made.add("site/x/later")  # type: ignore[arg-type]
    world.crash()
    world.start()
    assert world.settle() == ["docs/x.box"]
    assert _made(world) == {"site/x/a": "A2", "site/x/c": "C"}


def test_who_uses_one_output_is_not_rendered_when_only_the_other_changed() -> None:
    parts = {"docs/one.md": "piece docs/x.two:site/x.one", "docs/two.md": "piece docs/x.two:site/x.two"}
    world = at_rest({"docs/x.two": TWO, **parts})
    world.save("docs/x.two", "in one 1\nin two 3")
    assert world.settle() == ["docs/two.md", "docs/x.two"]
    world.start()
    assert world.settle() == []
    world.save("docs/x.two", "in one 9\nin two 3")
    assert world.settle() == ["docs/one.md", "docs/x.two"]


def test_who_uses_two_outputs_is_rendered_when_either_changed() -> None:
    world = at_rest({"docs/x.box": BOX, "docs/p.md": "piece docs/x.box:site/x/a\npiece docs/x.box:site/x/sub/b"})
    for text in ("in a A\nin sub/b B2", "in a A2\nin sub/b B2"):
        world.save("docs/x.box", text)
        assert world.settle() == ["docs/p.md", "docs/x.box"]
    world.save("docs/x.box", "in a A2\nin sub/b B2\nin new N")
    assert world.settle() == ["docs/x.box"]


def test_who_uses_a_file_that_a_folder_no_longer_holds_fails_and_recovers() -> None:
    world = at_rest({"docs/x.box": BOX, "docs/p.md": "piece docs/x.box:site/x/a"})
    world.save("docs/x.box", "in sub/b B")
    world.settle()
    assert "makes no site/x/a" in world.problem("docs/p.md")
    world.save("docs/x.box", BOX)
    world.settle()
    assert world.status("docs/p.md") is Status.DONE


def test_a_program_that_reads_one_output_by_its_path_follows_that_one() -> None:
    world = at_rest({"docs/x.two": TWO, "docs/y.box": BOX, "docs/p.cmd": "needs site/x.two\nneeds site/y/a"})
    world.save("docs/x.two", "in one 9\nin two 2")
    assert world.settle() == ["docs/x.two"]
    world.save("docs/y.box", "in a A\nin sub/b B9")
    assert world.settle() == ["docs/y.box"]
    world.save("docs/y.box", "in a A9\nin sub/b B9")
    assert world.settle() == ["docs/p.cmd", "docs/y.box"]
    world.save("docs/x.two", "in one 9\nin two 9")
    assert world.settle() == ["docs/p.cmd", "docs/x.two"]


def test_a_program_is_run_once_a_folder_it_reads_from_is_filled() -> None:
    world = at_rest({"docs/p.cmd": "needs site/y/a"})
    assert world.status("docs/p.cmd") is Status.BLOCKED
    world.save("docs/y.box", BOX)
    assert world.settle() == ["docs/p.cmd", "docs/y.box"]


def _with(match: str, **changed: Any) -> Layout:
    """Returns the usual rules, one of them changed."""
    rules = (replace(rule, **changed) if rule.match.endswith(match) else rule for rule in LAYOUT.rules)
    return replace(LAYOUT, rules=tuple(rules))


@pytest.mark.parametrize(
    ("other", "output"),
    [("docs/x/a.md", "{dir}/{stem}"), ("docs/x.md", "x"), ("docs/z.md", "x/z")],
    ids=["below it", "at it", "below it, though nobody makes that file"],
)
def test_a_claim_in_a_folder_that_another_fills_is_an_error_that_names_both(other: str, output: str) -> None:
    world = World({"docs/x.box": BOX, other: "z"}, _with(".md", output=output))
    world.start()
    world.settle()
    for document in ("docs/x.box", other):
        assert world.status(document) is Status.FAILED
        assert "docs/x.box" in world.problem(document)
        assert other in world.problem(document)
    world.remove(other)
    world.settle()
    assert world.statuses() == {"docs/x.box": Status.DONE}


def test_two_documents_that_share_one_of_their_outputs_are_an_error_that_names_both() -> None:
    shared = replace(TWO_RULE, index=5, match="docs/**/*.too", output=("{dir}/{stem}.three", "{dir}/{stem}.two"))
    world = World({"docs/x.two": TWO, "docs/x.too": TWO}, replace(LAYOUT, rules=(*LAYOUT.rules, shared)))
    world.start()
    world.settle()
    assert "docs/x.too and docs/x.two both render to site/x.two" in world.problem("docs/x.two")
    assert "docs/x.too and docs/x.two both render to site/x.two" in world.problem("docs/x.too")


@pytest.mark.parametrize(("more", "words"), [("{dir}/{stem}.one", "twice"), ("{stem}.one/y", "can't both exist")])
def test_outputs_of_one_document_that_can_not_both_exist_fail(more: str, words: str) -> None:
    world = World({"docs/x.two": TWO}, _with(".two", output=("{stem}.one", more)))
    world.start()
    world.settle()
    assert words in world.problem("docs/x.two")


def test_a_rule_that_names_one_more_output_renders_its_documents() -> None:
    world = at_rest({"docs/x.two": TWO, "docs/y.md": "y"})
    world.flush()
    world.layout = _with(".two", output=("{stem}.one", "{stem}.two", "{stem}.three"))
    world.start()
    assert world.settle() == ["docs/x.two"]
    world.layout = _with(".two", output="{stem}.one")
    world.start()
    assert world.settle() == ["docs/x.two"]
    assert list(_made(world)) == ["site/x.one", "site/y.html"]


def test_who_uses_the_first_output_is_not_rendered_when_the_rule_gets_more() -> None:
    world = at_rest({"docs/x.two": "all", "docs/p.md": "output docs/x.two"}, _with(".two", output="{stem}.one"))
    world.flush()
    world.layout = LAYOUT
    world.start()
    assert world.settle() == ["docs/x.two"]
    world.save("docs/x.two", "all\nin two 9")
    assert world.settle() == ["docs/x.two"]
    world.save("docs/x.two", "all\nin one 9")
    assert world.settle() == ["docs/p.md", "docs/x.two"]


def test_a_rule_that_fills_a_folder_where_it_made_a_file_replaces_it() -> None:
    file = replace(BOX_RULE, output="{dir}/{stem}")
    world = at_rest({"docs/x.box": BOX}, replace(LAYOUT, rules=(*LAYOUT.rules[:-1], file)))
    world.flush()
    for layout, outputs in ((LAYOUT, ["site/x/a", "site/x/sub/b"]), (world.layout, ["site/x"])):
        world.layout = layout
        world.start()
        world.settle()
        assert list(_made(world)) == outputs


HASHED: Final = "{dir}/{stem}.{hash}.html"


def _hashed(world: World) -> list[str]:
    return [path for path in _made(world) if path.startswith("site/x.")]


def test_a_path_with_a_hash_follows_the_bytes_and_so_do_those_who_use_its_url() -> None:
    world = at_rest({"docs/x.md": "one", "docs/p.cmd": "needs docs/x.md"}, _with(".md", output=HASHED))
    (before,) = _hashed(world)
    assert before == f"site/x.{hash_of('one ')[:12]}.html"
    world.save("docs/x.md", "two")
    assert world.settle() == ["docs/p.cmd", "docs/x.md"]
    assert _hashed(world) == [f"site/x.{hash_of('two ')[:12]}.html"]
    assert world.removed == [before]
    assert world.events("document.rendered")[0]["output"] == _hashed(world)[0]
    world.start()
    assert world.settle() == []


def test_an_output_with_a_hash_that_is_lost_is_made_again_also_after_a_restart() -> None:
    world = at_rest({"docs/x.md": "one"}, _with(".md", output=HASHED))
    (made,) = _hashed(world)
    world.lose_output(made)
    assert world.settle() == ["docs/x.md"]
    world.flush()
    world.start()
    world.settle()
    world.lose_output(made)
    assert world.settle() == ["docs/x.md"]
    assert world.machine.graph.makers(made) == ("docs/x.md",)
    world.remove("docs/x.md")
    world.settle()
    assert _made(world) == {}


def test_a_path_with_a_hash_among_several_is_followed_by_itself() -> None:
    two = ("{stem}.{hash}.one", "{stem}.two")
    uses = {"docs/one.md": "piece docs/x.two:site/x.{hash}.one", "docs/two.md": "piece docs/x.two:site/x.two"}
    world = World({"docs/x.two": TWO, **uses}, _with(".two", output=two))
    world.start()
    world.settle()
    world.save("docs/x.two", "in one 9\nin two 2")
    assert world.settle() == ["docs/one.md", "docs/x.two"]


def test_two_documents_with_the_same_path_but_for_the_hash_are_an_error() -> None:
    rules = tuple(replace(rule, output=HASHED) if rule.index in {0, 2} else rule for rule in LAYOUT.rules)
    world = World({"docs/x.md": "one", "docs/x.alt": "two"}, replace(LAYOUT, rules=rules))
    world.start()
    world.settle()
    assert "docs/x.alt and docs/x.md both render to site/x.{hash}.html" in world.problem("docs/x.md")


def test_a_foreign_file_in_the_way_of_one_output_fails_the_document() -> None:
    world = World({"docs/x.two": TWO})
    world.in_the_way.add("site/x.two")
    world.start()
    world.settle()
    assert world.status("docs/x.two") is Status.FAILED


@pytest.mark.parametrize(
    ("source", "layout"),
    [("docs/x.md", _with(".md", output=HASHED)), ("docs/x.box", LAYOUT), ("docs/x.two", LAYOUT)],
)
def test_a_document_that_fails_keeps_all_its_outputs_although_the_database_is_lost(source: str, layout: Layout) -> None:
    world = at_rest({source: "in one 1"}, layout)
    kept = _made(world)
    world.save(source, "in one 1\nfail")
    world.settle()
    world.store = MemoryStore()
    world.start()
    world.settle()
    assert world.status(source) is Status.FAILED
    assert _made(world) == kept
    world.save(source, "in two 2\nin one/more 1")
    world.settle()
    assert _made(world) == _made(at_rest(dict(world.sources.texts), layout))


def test_a_document_that_moves_or_goes_takes_along_the_outputs_that_only_the_journal_knows() -> None:
    world = at_rest({"docs/x.box": "in a A"})
    world.save("docs/x.box", "fail")
    world.settle()
    world.store = MemoryStore()
    world.start()
    world.settle()
    assert _made(world) == {"site/x/a": "A"}
    world.remove("docs/x.box")
    world.settle()
    assert _made(world) == {}
