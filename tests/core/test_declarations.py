"""Generated documents: a rendering declares documents, which live and go with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.world import SEVERAL, World, at_rest
from kahnd.core.events import BuildRequested
from kahnd.core.model import DocumentId, RequestId, Status
from kahnd.store.memory_store import MemoryStore

POSTS: Final = {"docs/posts/1.md": "red\none", "docs/posts/2.md": "blue\ntwo", "docs/posts/3.md": "red\nthree"}
TAGS: Final = {"docs/tags.md": "sort docs/posts/*.md docs/tags"}
RED, BLUE, GREEN = "docs/tags/red.md", "docs/tags/blue.md", "docs/tags/green.md"


def made(world: World) -> dict[str, str]:
    """Returns the outputs by path, without the files that stand for generated documents."""
    return {path: text for path, text in sorted(world.outputs.texts.items()) if path.startswith("site/")}


def fresh(world: World) -> World:
    """Returns a project with the same sources that is built from nothing."""
    return at_rest(dict(world.sources.texts))


def assert_as_fresh(world: World) -> None:
    other = fresh(world)
    assert world.statuses() == other.statuses()
    broken = {
        world.machine.graph[DocumentId(each)].claim for each, status in other.statuses().items() if status != "DONE"
    }
    assert {path: text for path, text in made(world).items() if path not in broken} == {
        path: text for path, text in made(other).items() if path not in broken
    }


def test_declared_documents_are_rendered_in_the_same_build() -> None:
    world = World(POSTS | TAGS)
    world.start()
    world.settle()
    assert world.status(RED) is Status.DONE
    assert made(world)["site/tags/red.html"] == "red \ndocs/posts/1.md \ndocs/posts/3.md "
    assert world.rendered.count("docs/tags.md") == 1
    assert len(world.builds) == 1
    world.start()
    assert world.settle() == []


def test_a_new_title_renders_its_document_and_the_one_that_it_leaves() -> None:
    world = at_rest(POSTS | TAGS)
    world.save("docs/posts/3.md", "green\nthree")
    assert world.settle() == ["docs/posts/3.md", "docs/tags.md", GREEN, RED]
    assert_as_fresh(world)


def test_a_title_that_nothing_has_any_more_takes_its_document_with_it() -> None:
    world = at_rest(POSTS | TAGS)
    world.save("docs/posts/2.md", "red\ntwo")
    assert world.settle() == ["docs/posts/2.md", "docs/tags.md", RED]
    assert "site/tags/blue.html" in world.removed
    assert BLUE not in world.statuses()
    assert_as_fresh(world)


def test_another_text_of_a_post_renders_no_generated_document() -> None:
    world = at_rest(POSTS | TAGS)
    world.save("docs/posts/2.md", "blue\nother")
    assert world.settle() == ["docs/posts/2.md"]


def test_a_declarer_that_goes_takes_what_it_declared_with_it() -> None:
    world = at_rest(POSTS | TAGS)
    world.remove("docs/tags.md")
    assert world.settle() == []
    assert made(world).keys() == {"site/posts/1.html", "site/posts/2.html", "site/posts/3.html"}
    assert not [path for path in world.outputs.texts if path.startswith(".kahnd")]
    assert_as_fresh(world)


@pytest.mark.parametrize("after", ["hidden", "no more"])
def test_a_declarer_that_is_hidden_or_declares_no_more_takes_what_it_declared_with_it(after: str) -> None:
    world = at_rest(POSTS | TAGS)
    world.save("docs/tags.md", after)
    world.settle()
    assert RED not in world.statuses()
    assert_as_fresh(world)


def test_a_failing_declarer_blocks_what_it_declared_and_mending_it_renders_nothing_else() -> None:
    world = at_rest(POSTS | TAGS)
    world.save("docs/tags.md", "sort docs/posts/*.md docs/tags\nfail")
    world.settle()
    assert (world.status(RED), world.because(RED)) == (Status.BLOCKED, "docs/tags.md")
    assert "site/tags/red.html" in made(world)
    world.save("docs/tags.md", TAGS["docs/tags.md"])
    world.settle()
    assert world.status(RED) is Status.DONE


def test_a_collection_has_the_generated_documents_of_others_and_not_those_of_its_reader() -> None:
    every = "titles docs/**/*.md"
    world = at_rest(POSTS | {"docs/tags.md": f"{TAGS['docs/tags.md']}\n{every}", "docs/all.md": every})
    assert "[blue]" in made(world)["site/all.html"]
    world.save("docs/posts/3.md", "green\nthree")
    assert world.settle() == ["docs/all.md", "docs/posts/3.md", "docs/tags.md", GREEN, RED]
    assert_as_fresh(world)
    world.start()
    assert world.settle() == []


@pytest.mark.parametrize("word", ["title", "include", "output", "link", "needs"])
def test_what_a_document_has_declared_before_is_not_there_until_it_is_declared_again(word: str) -> None:
    world = at_rest({"docs/a.md": "declare docs/x.md X"})
    world.save("docs/a.md", f"{word} docs/x.md\ndeclare docs/x.md X")
    world.settle()
    assert world.status("docs/a.md") is not Status.DONE
    assert made(world)["site/a.html"] == ""
    assert fresh(world).status("docs/a.md") is not Status.DONE
    world.save("docs/a.md", "declare docs/x.md X\ntitle docs/x.md")
    world.settle()
    assert world.statuses() == {"docs/a.md": Status.DONE, "docs/x.md": Status.DONE}


def test_a_document_that_declares_what_it_needs_of_another_fails_with_that_and_does_not_go_on_for_ever() -> None:
    for first, second in (("docs/a.md", "docs/b.md"), ("docs/b.md", "docs/a.md")):
        world = at_rest({first: "declare docs/x.md X"})
        world.save(second, "title docs/x.md\ndeclare docs/x.md mine")
        world.settle()
        assert world.statuses().keys() == fresh(world).statuses().keys() == {first, second}
        assert Status.DONE not in {*world.statuses().values(), *fresh(world).statuses().values()}
        world.save(second, "title docs/x.md")
        world.settle()
        assert_as_fresh(world)
        assert world.status(second) is Status.DONE


def test_no_rendering_of_a_document_has_what_that_declares_in_its_collections() -> None:
    world = at_rest({"docs/a.md": "titles docs/*.md\ndeclare docs/c.md declare docs/y.md Y"}, SEVERAL)
    assert made(world)["site/print/a.md"] == made(world)["site/a.html"]
    assert world.status("docs/y.md") is Status.DONE
    assert "[y]" not in made(world)["site/a.html"]
    assert "[c]" not in made(world)["site/a.html"]


def test_two_documents_that_declare_one_fail_and_name_each_other() -> None:
    for first, second in (("docs/a.md", "docs/b.md"), ("docs/b.md", "docs/a.md")):
        world = at_rest({first: "declare docs/x.md by one"})
        world.save(second, "declare docs/x.md by other")
        world.settle()
        for each in (first, second):
            assert "docs/a.md and docs/b.md both declare docs/x.md" in world.problem(each)
        assert world.statuses() == {first: Status.FAILED, second: Status.FAILED}
        assert_as_fresh(world)
        world.save(second, "nothing")
        world.settle()
        assert_as_fresh(world)
        assert world.status("docs/x.md") is Status.DONE


def test_a_document_reads_what_could_not_be_declared_because_of_what_it_declared_before() -> None:
    world = at_rest({"docs/a.md": "declare docs/x.md X", "docs/b.md": "declare docs/c.md declare docs/x.md Y"})
    assert world.status("docs/a.md") is world.status("docs/c.md") is Status.FAILED
    world.save("docs/b.md", "title docs/x.md")
    world.settle()
    assert world.statuses() == dict.fromkeys(("docs/a.md", "docs/b.md", "docs/x.md"), Status.DONE)
    assert_as_fresh(world)
    assert len(world.builds) == 2


def test_a_document_moves_from_one_declarer_to_another() -> None:
    world = at_rest({"docs/a.md": "declare docs/x.md X", "docs/b.md": "b"})
    world.write("docs/a.md", "a")
    world.write("docs/b.md", "declare docs/x.md X")
    world.look()
    world.settle()
    assert_as_fresh(world)
    assert world.machine.graph["docs/x.md"].facts.declarer == "docs/b.md"  # type: ignore[index]


def test_a_file_in_place_of_a_declared_document_fails_its_declarer_until_it_goes() -> None:
    world = at_rest({"docs/a.md": "declare docs/x.md X\ndeclare docs/y.md Y"})
    world.save("docs/x.md", "real")
    world.settle()
    assert "docs/a.md declares docs/x.md, which is a file of the project" in world.problem("docs/a.md")
    assert world.status("docs/x.md") is Status.DONE
    assert made(world)["site/x.html"] == "real "
    assert world.status("docs/y.md") is Status.BLOCKED
    other = fresh(world)
    assert other.problem("docs/a.md") == world.problem("docs/a.md")
    world.remove("docs/x.md")
    world.settle()
    assert_as_fresh(world)
    assert made(world)["site/x.html"] == "X "


def test_declared_documents_that_lie_in_one_another_fail() -> None:
    world = at_rest({"docs/a.md": "declare docs/x X", "docs/b.md": "declare docs/x/y.md Y"})
    assert "docs/b.md declares docs/x/y.md" in world.problem("docs/b.md") + world.problem("docs/a.md")
    assert world.statuses() == {"docs/a.md": Status.FAILED, "docs/b.md": Status.FAILED}


def test_generated_documents_declare_others_up_to_a_depth() -> None:
    world = at_rest({"docs/a.md": "declare docs/b.md declare docs/c.md C"})
    assert world.status("docs/c.md") is Status.DONE
    world.save("docs/a.md", "a")
    world.settle()
    assert world.statuses() == {"docs/a.md": Status.DONE}
    deep = " ".join(f"declare docs/{number}.md" for number in range(9))
    world.save("docs/a.md", f"{deep} end")
    world.settle()
    assert (world.status("docs/2.md"), world.status("docs/3.md")) == (Status.DONE, Status.FAILED)
    assert "more than 4 documents declare one another in turn" in " ".join(map(world.problem, world.statuses()))


def test_a_lost_or_altered_file_of_a_generated_document_is_made_again() -> None:
    world = at_rest(POSTS | TAGS)
    world.lose_output(f".kahnd/generated/{RED}")
    assert world.settle() == ["docs/tags.md"]
    world.alter_output(f".kahnd/generated/{RED}", "altered")
    world.settle()
    assert world.outputs.texts[f".kahnd/generated/{RED}"].startswith("red")
    assert_as_fresh(world)


def test_a_crash_after_publishing_is_recovered_from() -> None:
    for steps in range(8):
        world = at_rest(POSTS | TAGS)
        world.save("docs/posts/3.md", "green\nthree")
        for _ in range(steps):
            if world.running:
                world.finish(next(iter(world.running)))
            elif world.looks:
                world.look_at_declared()
        world.crash()
        if steps % 2:
            world.write("docs/posts/3.md", POSTS["docs/posts/3.md"])
        world.start()
        world.settle()
        assert_as_fresh(world)
        assert {path for path in world.outputs.texts if path.startswith(".kahnd")} == world.made - made(world).keys()


def test_a_post_that_is_saved_while_declared_documents_are_looked_at_counts() -> None:
    world = at_rest(POSTS | TAGS)
    world.save("docs/posts/3.md", "green\nthree")
    while not world.looks:
        world.finish(next(iter(world.running)))
    world.save("docs/posts/2.md", "yellow\ntwo")
    world.settle()
    assert_as_fresh(world)


def test_documents_that_feed_on_what_they_declare_end() -> None:
    feed = "declare docs/x.md [x]\npage docs/x.md"
    world = at_rest({"docs/a.md": feed})
    assert world.status("docs/a.md") in {Status.DONE, Status.FAILED}


NAMES: Final = (
    "docs/a.md",
    "docs/b.md",
    "docs/t/red.md",
    "docs/t/blue.md",
    "docs/p/1.md",
    "docs/p/2.md",
    "docs/all.md",
)
SORT: Final = "sort docs/p/*.md docs/t"
READ: Final = "leads docs/t/red.md\ntitle docs/t/red.md"
MINE: Final = "declare docs/t/red.md mine"
LATE: Final = "title docs/t/red.md\ndeclare docs/t/red.md mine"
OWN: Final = "declare docs/t/green.md green\ntitle docs/t/green.md\nleads docs/t/green.md"
TEXTS: Final = (
    "red\nx",
    "blue\nx",
    "red\ny",
    "sort docs/p/*.md docs/t",
    "sort docs/p/*.md docs/t\ntitles docs/**/*.md",
    MINE,
    "declare docs/t/red.md declare docs/t/blue.md deep",
    "titles docs/**/*.md",
    READ,
    OWN,
    "hidden",
    "plain",
)
a, b, red, blue = "docs/a.md", "docs/b.md", "docs/t/red.md", "docs/t/blue.md"
STEPS: Final = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from((*TEXTS, None)), st.integers(0, 6), st.booleans()), max_size=8
)


def step(world: World) -> None:
    """Performs what is next."""
    if world.running:
        world.finish(next(iter(world.running)))
    elif world.rechecks:
        world.recheck()
    elif world.looks:
        world.look_at_declared()


@settings(max_examples=150, deadline=None)
@given(STEPS)
@example([(a, SORT, 0, False), (b, SORT, 1, False), (a, "red\nx", 0, False)])  # saved while its declarations are read
@example([(a, SORT, 1, False), (a, READ, 0, False), (b, SORT, 0, False)])
@example([(a, SORT, 2, False), (b, SORT, 0, False), (a, READ, 0, False)])  # what it declared before is contested
@example([(a, READ, 0, False), (b, SORT, 0, False), (blue, SORT, 0, False)])  # read before it is refused
@example([(a, SORT, 0, False), (b, SORT, 0, False), (blue, READ, 0, False)])
@example([(a, SORT, 1, False), ("docs/p/1.md", MINE, 0, False)])  # in conflict with what is outdated
@example([(a, SORT, 0, False), (b, SORT, 3, False), (a, "hidden", 0, False)])  # was published, and refused then
@example([(b, SORT, 2, False), (b, "titles docs/**/*.md", 1, False), (a, SORT, 4, True)])  # taken over, then killed
@example([("docs/p/2.md", SORT, 4, False), ("docs/p/2.md", MINE, 0, False)])  # declares itself
@example(
    [
        (a, "titles docs/**/*.md", 0, False),
        ("docs/p/1.md", MINE, 0, False),
        (red, SORT, 4, False),
        ("docs/p/2.md", MINE, 0, False),
    ]
)
@example([("docs/p/1.md", MINE, 2, False), ("docs/p/2.md", SORT, 5, False), ("docs/p/2.md", READ, 0, False)])
@example([(a, MINE, 9, False), (a, LATE, 0, False)])
@example([(a, OWN, 2, False), (a, "hidden", 0, False)])
@example([(a, OWN, 4, False), (a, "hidden", 0, False)])
def test_whatever_is_edited_and_killed_the_result_is_that_of_a_fresh_build(
    edits: list[tuple[str, str | None, int, bool]],
) -> None:
    world = at_rest({"docs/p/1.md": "red\nx"})
    for path, text, steps, is_killed in edits:
        if text is not None:
            world.write(path, text)
        else:
            world.sources.texts.pop(path, None)
        world.look()
        for _ in range(steps):
            step(world)
        if is_killed:
            world.crash()
            world.start()
    world.settle()
    other = fresh(world)
    files = world.sources.texts
    broken = {each: status for each, status in other.statuses().items() if status is not Status.DONE and each in files}
    assert broken == {
        each: status for each, status in world.statuses().items() if status is not Status.DONE and each in files
    }
    if set(other.statuses().values()) <= {Status.DONE}:
        assert world.statuses() == other.statuses()
        assert made(world) == made(other)
        declared = {path for path in world.outputs.texts if path.startswith(".kahnd")}
        assert declared == {path for path in other.outputs.texts if path.startswith(".kahnd")}
        world.start()
        assert world.settle() == []


def broken_and_forgotten(declares: str) -> World:
    """Returns a project whose generated document fails since a save, and whose database is lost then."""
    world = at_rest({"docs/d.md": "declare docs/x.md X"}, SEVERAL)
    world.save("docs/d.md", declares)
    world.settle()
    world.store = MemoryStore()
    return world


def test_a_generated_document_that_fails_keeps_its_outputs_although_the_database_is_lost() -> None:
    world = broken_and_forgotten("declare docs/x.md fail")
    kept = {path: text for path, text in made(world).items() if "x" in path}
    assert kept == {"site/print/x.md": "X ", "site/x.html": "X ", "site/x.md.raw": "X"}
    world.start()
    world.settle()
    assert world.status("docs/x.md") is Status.FAILED
    assert {path: text for path, text in made(world).items() if "x" in path} == kept
    world.save("docs/d.md", "nothing")
    world.settle()
    assert_nothing_is_left_of("x", world)


def test_the_outputs_of_what_nobody_declares_any_more_go_in_the_first_build_after_the_database_is_lost() -> None:
    world = broken_and_forgotten("declare docs/x.md fail")
    world.write("docs/d.md", "nothing")
    world.start()
    world.settle()
    assert_nothing_is_left_of("x", world)
    assert len(world.builds) == 3


def test_a_build_of_other_documents_leaves_the_outputs_of_generated_ones_to_the_next() -> None:
    world = broken_and_forgotten("declare docs/x.md fail")
    world.write("docs/a.md", "a")
    world.start(BuildRequested(RequestId("1"), "build", frozenset({DocumentId("docs/a.md")})))
    world.settle()
    assert made(world)["site/x.html"] == "X "
    world.write("docs/d.md", "nothing")
    world.start()
    world.settle()
    assert_nothing_is_left_of("x", world)


def test_outputs_and_declared_documents_of_a_lost_database_make_way_for_new_ones() -> None:
    world = broken_and_forgotten("declare docs/x.md Y")
    world.layout = replace(SEVERAL, rules=(replace(SEVERAL.rules[0], output="{dir}/{stem}"), *SEVERAL.rules[1:]))
    world.start()
    world.settle()
    assert made(world)["site/x"] == "Y "
    world.store = MemoryStore()
    world.write("docs/d.md", "declare docs/x.md/x/i.md Z")
    world.start()
    world.settle()
    assert set(world.statuses().values()) == {Status.DONE}
    assert [path for path in made(world) if "x" in path] == ["site/x.md/x/i"]


def assert_nothing_is_left_of(name: str, world: World) -> None:
    assert not [path for path in world.outputs.texts if name in path.rpartition("/")[2]]
