"""Dependencies that are out of the ordinary: collections, pages that name each other, missing ones, rival claims."""

from __future__ import annotations

import pytest

from core.world import World, at_rest
from kahnd.core.model import DocumentId, Status

RIVALS = "docs/a.alt: docs/a.alt and docs/a.md both render to site/a.html (give one of them another output)"


def test_a_new_member_renders_what_lists_the_collection() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md", "docs/posts/a.md": "A"})
    world.save("docs/posts/b.md", "B")
    assert world.settle() == ["docs/index.md", "docs/posts/b.md"]
    assert world.outputs.texts["site/index.html"] == "[site/posts/a.html: A]\n[site/posts/b.html: B]"


def test_a_member_that_goes_renders_what_lists_the_collection() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md", "docs/posts/a.md": "A", "docs/posts/b.md": "B"})
    world.remove("docs/posts/b.md")
    assert world.settle() == ["docs/index.md"]
    assert world.outputs.texts["site/index.html"] == "[site/posts/a.html: A]"


def test_a_member_s_new_text_renders_what_lists_the_collection() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md", "docs/posts/a.md": "A"})
    world.save("docs/posts/a.md", "B")
    assert world.settle() == ["docs/index.md", "docs/posts/a.md"]


def test_a_collection_that_nobody_lists_any_more_is_forgotten() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md"})
    world.save("docs/index.md", "nothing")
    world.settle()
    assert DocumentId("/docs/posts/*.md") not in world.machine.graph
    world.save("docs/posts/a.md", "A")
    assert world.settle() == ["docs/posts/a.md"]


def test_pages_that_name_each_other_are_no_cycle_and_wait_for_nothing() -> None:
    world = World({"docs/a.md": "page docs/b.md", "docs/b.md": "page docs/a.md", "docs/c.md": "page docs/c.md"})
    world.start()
    assert set(world.running) == {"docs/a.md", "docs/b.md", "docs/c.md"}
    world.settle()
    world.save("docs/a.md", "page docs/b.md\nmore")
    assert world.settle() == ["docs/a.md", "docs/b.md"]


def test_a_post_may_link_back_to_its_index() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md", "docs/posts/a.md": "page docs/index.md"})
    assert set(world.statuses().values()) == {Status.DONE}


def test_a_content_dependency_carries_nothing_further() -> None:
    world = at_rest({"docs/p.txt": "one", "docs/a.md": "include docs/p.txt", "docs/b.md": "page docs/a.md"})
    world.save("docs/p.txt", "two")
    assert world.settle() == ["docs/a.md"]


def test_a_missing_include_blocks_and_its_appearance_mends() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt", "docs/b.md": "output docs/a.md"})
    assert (world.status("docs/a.md"), world.because("docs/a.md")) == (Status.BLOCKED, "docs/p.txt")
    assert (world.status("docs/b.md"), world.because("docs/b.md")) == (Status.BLOCKED, "docs/p.txt")
    world.save("docs/p.txt", "here now")
    assert world.settle() == ["docs/a.md", "docs/b.md"]


def test_a_missing_dependency_of_a_command_blocks_it_without_a_run() -> None:
    world = World({"docs/d.cmd": "include docs/p.txt"})
    world.start()
    assert not world.running
    assert world.because("docs/d.cmd") == "docs/p.txt"
    assert "does not exist" in world.problem("docs/d.cmd")


def test_an_include_that_may_be_missing_does_not_block() -> None:
    world = at_rest({"docs/a.md": "maybe docs/p.txt"})
    assert world.status("docs/a.md") is Status.DONE
    world.save("docs/p.txt", "here now")
    assert world.settle() == ["docs/a.md"]


def test_a_missing_document_is_forgotten_with_the_last_that_needs_it() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt"})
    assert world.machine.graph[DocumentId("docs/p.txt")].status is Status.MISSING
    world.save("docs/a.md", "nothing")
    world.settle()
    assert DocumentId("docs/p.txt") not in world.machine.graph


def test_two_documents_for_one_output_both_fail_and_are_both_named() -> None:
    world = at_rest({"docs/a.md": "one", "docs/a.alt": "two"})
    assert world.status("docs/a.md") is world.status("docs/a.alt") is Status.FAILED
    assert world.problem("docs/a.alt") == RIVALS


def test_a_second_document_for_an_output_leaves_the_last_good_one() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/a.alt", "two")
    assert world.settle() == []
    assert world.status("docs/a.md") is Status.FAILED
    assert world.outputs.texts == {"site/a.html": "one "}


def test_the_end_of_a_rival_renders_the_other() -> None:
    world = at_rest({"docs/a.md": "one", "docs/a.alt": "two"})
    world.remove("docs/a.md")
    assert world.settle() == ["docs/a.alt"]
    assert world.outputs.texts == {"site/a.html": "two "}


def test_the_output_of_a_rival_goes_with_it_even_if_the_other_can_not_be_rendered() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/a.alt", "fail")
    world.settle()
    world.remove("docs/a.md")
    assert world.settle() == []
    assert world.outputs.texts == {}


def test_the_end_of_both_rivals_at_once_takes_the_output_with_it() -> None:
    world = at_rest({"docs/a.alt": "one"})
    world.save("docs/a.md", "two")
    world.settle()
    world.delete("docs/a.md")
    world.delete("docs/a.alt")
    world.look()
    world.settle()
    assert world.outputs.texts == {}


def test_the_end_of_a_rival_that_never_rendered_leaves_the_other_s_output() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/a.alt", "two")
    world.settle()
    world.remove("docs/a.alt")
    assert world.settle() == []
    assert world.status("docs/a.md") is Status.DONE
    assert world.outputs.texts == {"site/a.html": "one "}


@pytest.mark.parametrize(
    ("word", "rendered"),
    [
        ("title", []),
        ("url", []),
        ("link", []),
        ("text", ["docs/a.md"]),
        ("page", ["docs/a.md"]),
        ("output", ["docs/a.md"]),
    ],
)
def test_new_text_below_a_title_renders_only_who_uses_it(word: str, rendered: list[str]) -> None:
    world = at_rest({"docs/a.md": f"{word} docs/b.md", "docs/b.md": "T\none"})
    world.save("docs/b.md", "T\ntwo")
    assert world.settle() == [*rendered, "docs/b.md"]


def test_another_title_renders_who_lists_the_titles() -> None:
    world = at_rest({"docs/a.md": "titles docs/b*.md", "docs/b.md": "T\none"})
    world.save("docs/b.md", "T\ntwo")
    assert world.settle() == ["docs/b.md"]
    world.save("docs/b.md", "Other T\ntwo")
    assert world.settle() == ["docs/a.md", "docs/b.md"]
    assert world.outputs.texts["site/a.html"] == "[Other T]"


FILE_AND_FOLDER = "docs/a.md renders to site/a.html, where docs/a.html/b.md needs a folder"


@pytest.mark.parametrize("first", ["docs/a.md", "docs/a.html/b.md"])
def test_a_file_and_a_folder_that_claim_one_place_both_fail_whichever_came_first(first: str) -> None:
    second = ({"docs/a.md", "docs/a.html/b.md"} - {first}).pop()
    world = at_rest({first: "A"})
    world.save(second, "B")
    world.settle()
    assert set(world.statuses().values()) == {Status.FAILED}
    assert all(FILE_AND_FOLDER in str(node.facts.problem) for node in world.machine.graph)
    assert not world.outputs.texts
    world.remove(first)
    assert world.settle() == [second]
    world.save(first, "A")
    world.settle()
    world.remove(second)
    assert world.settle() == [first]
