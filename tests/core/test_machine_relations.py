"""Special dependencies: collections, pages that name each other, missing documents, rival claims."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.world import ELSEWHERE, LAYOUT, PAGE_RULE, PAGES_ALONE, World, at_rest
from kahnd.core.events import BuildRequested
from kahnd.core.model import Digest, DocumentId, RequestId, Status

RIVALS = "docs/a.alt: docs/a.alt and docs/a.md both render to site/a.html (give one of them another output)"


def test_a_new_member_renders_the_dependents_of_a_collection() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md", "docs/posts/a.md": "A"})
    world.save("docs/posts/b.md", "B")
    assert world.settle() == ["docs/index.md", "docs/posts/b.md"]
    assert world.outputs.texts["site/index.html"] == "[site/posts/a.html: A]\n[site/posts/b.html: B]"


def test_a_removed_member_renders_the_dependents_of_a_collection() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md", "docs/posts/a.md": "A", "docs/posts/b.md": "B"})
    world.remove("docs/posts/b.md")
    assert world.settle() == ["docs/index.md"]
    assert world.outputs.texts["site/index.html"] == "[site/posts/a.html: A]"


def test_a_changed_member_renders_the_dependents_of_a_collection() -> None:
    world = at_rest({"docs/index.md": "pages docs/posts/*.md", "docs/posts/a.md": "A"})
    world.save("docs/posts/a.md", "B")
    assert world.settle() == ["docs/index.md", "docs/posts/a.md"]


def test_a_collection_is_forgotten_with_its_last_dependent() -> None:
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


def test_a_content_dependency_does_not_propagate_further() -> None:
    world = at_rest({"docs/p.txt": "one", "docs/a.md": "include docs/p.txt", "docs/b.md": "page docs/a.md"})
    world.save("docs/p.txt", "two")
    assert world.settle() == ["docs/a.md"]


def test_a_missing_include_blocks_until_it_appears() -> None:
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


def test_an_optional_missing_include_does_not_block() -> None:
    world = at_rest({"docs/a.md": "maybe docs/p.txt"})
    assert world.status("docs/a.md") is Status.DONE
    world.save("docs/p.txt", "here now")
    assert world.settle() == ["docs/a.md"]


def test_a_missing_document_is_forgotten_with_its_last_dependent() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt"})
    assert world.machine.graph[DocumentId("docs/p.txt")].status is Status.MISSING
    world.save("docs/a.md", "nothing")
    world.settle()
    assert DocumentId("docs/p.txt") not in world.machine.graph


def test_two_documents_that_claim_one_output_both_fail_and_name_each_other() -> None:
    world = at_rest({"docs/a.md": "one", "docs/a.alt": "two"})
    assert world.status("docs/a.md") is world.status("docs/a.alt") is Status.FAILED
    assert world.problem("docs/a.alt") == RIVALS


def test_a_second_claim_leaves_the_last_good_output() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/a.alt", "two")
    assert world.settle() == []
    assert world.status("docs/a.md") is Status.FAILED
    assert world.outputs.texts == {"site/a.html": "one "}


def test_the_removal_of_a_rival_renders_the_other() -> None:
    world = at_rest({"docs/a.md": "one", "docs/a.alt": "two"})
    world.remove("docs/a.md")
    assert world.settle() == ["docs/a.alt"]
    assert world.outputs.texts == {"site/a.html": "two "}


def test_the_output_of_a_removed_rival_is_removed_even_if_the_other_can_not_be_rendered() -> None:
    world = at_rest({"docs/a.md": "one"})
    world.save("docs/a.alt", "fail")
    world.settle()
    world.remove("docs/a.md")
    assert world.settle() == []
    assert world.outputs.texts == {}


def test_the_removal_of_both_rivals_removes_the_output() -> None:
    world = at_rest({"docs/a.alt": "one"})
    world.save("docs/a.md", "two")
    world.settle()
    world.delete("docs/a.md")
    world.delete("docs/a.alt")
    world.look()
    world.settle()
    assert world.outputs.texts == {}


def test_the_removal_of_a_rival_that_never_rendered_leaves_the_output_of_the_other() -> None:
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
def test_new_text_below_a_title_renders_only_its_users(word: str, rendered: list[str]) -> None:
    world = at_rest({"docs/a.md": f"{word} docs/b.md", "docs/b.md": "T\none"})
    world.save("docs/b.md", "T\ntwo")
    assert world.settle() == [*rendered, "docs/b.md"]


def test_a_new_title_renders_the_list_of_titles() -> None:
    world = at_rest({"docs/a.md": "titles docs/b*.md", "docs/b.md": "T\none"})
    world.save("docs/b.md", "T\ntwo")
    assert world.settle() == ["docs/b.md"]
    world.save("docs/b.md", "Other T\ntwo")
    assert world.settle() == ["docs/a.md", "docs/b.md"]
    assert world.outputs.texts["site/a.html"] == "[Other T]"


FILE_AND_FOLDER = "docs/a.md renders to site/a.html, where docs/a.html/b.md needs a folder"


@pytest.mark.parametrize("first", ["docs/a.md", "docs/a.html/b.md"])
def test_a_file_and_a_folder_at_one_path_both_fail_whichever_came_first(first: str) -> None:
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


def test_a_link_is_no_cycle_waits_for_nothing_and_follows_the_title_alone_where_it_names_a_part() -> None:
    world = World({"docs/a.md": "A\nleads docs/b.md", "docs/b.md": "B\npart docs/a.md", "docs/c.md": "part docs/c.md"})
    world.start()
    assert set(world.running) == {"docs/a.md", "docs/b.md", "docs/c.md"}
    world.settle()
    world.save("docs/a.md", "A\nleads docs/b.md\nmore")
    assert world.settle() == ["docs/a.md"]
    world.save("docs/a.md", "Other\nleads docs/b.md")
    assert world.settle() == ["docs/a.md", "docs/b.md"]
    world.save("docs/b.md", "Other\npart docs/a.md")
    assert world.settle() == ["docs/b.md"]


def test_a_text_edit_does_not_even_make_documents_dirty_that_link_to_it() -> None:
    world = at_rest({"docs/a.md": "A", "docs/b.md": "B\npart docs/a.md", "docs/c.md": "leads docs/a.md"})
    world.save("docs/a.md", "A\nmore")
    assert [each for each, status in world.statuses().items() if status is Status.DIRTY] == ["docs/a.md"]
    assert world.settle() == ["docs/a.md"]


def test_a_link_that_leads_nowhere_blocks_nothing_and_is_followed_once_the_document_appears() -> None:
    world = at_rest({"docs/a.md": "leads docs/b.md", "docs/c.md": "output docs/a.md"})
    assert world.outputs.texts["site/a.html"] == "[nowhere[]]"
    assert world.status("docs/c.md") is Status.DONE
    world.save("docs/b.md", "B")
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/c.md"]
    assert world.outputs.texts["site/a.html"] == "[site/b.html[]]"
    world.remove("docs/b.md")
    assert world.settle() == ["docs/a.md", "docs/c.md"]


def test_a_link_to_an_output_follows_whether_a_document_renders_to_it() -> None:
    world = World({"docs/a.md": "leads site/b.html", "docs/b.md": "B"})
    world.start()
    assert world.settle() == ["docs/a.md", "docs/b.md"]
    world.remove("docs/b.md")
    assert world.settle() == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"] == "[nowhere[]]"
    world.save("docs/b.alt", "B")
    assert world.settle() == ["docs/a.md", "docs/b.alt"]
    assert world.outputs.texts["site/a.html"] == "[site/b.html[]]"


def test_a_link_that_only_rendering_finds_takes_a_second_run_at_most() -> None:
    world = World({"docs/a.md": "include docs/p.txt", "docs/p.txt": "leads site/b.html", "docs/b.md": "B"})
    world.start()
    world.settle()
    assert world.outputs.texts["site/a.html"] == "[site/b.html[]]"
    world.rendered.clear()
    world.save("docs/a.md", "include docs/p.txt\nmore")
    assert world.settle() == ["docs/a.md"]


def test_a_link_to_a_renamed_output_is_followed() -> None:
    world = at_rest({"docs/a.md": "leads docs/d.cmd\nleads site/d.out", "docs/d.cmd": "x"})
    assert world.outputs.texts["site/a.html"] == "[site/d.out[]]\n[site/d.out[]]"
    world.layout = ELSEWHERE
    world.start()
    assert world.settle() == ["docs/a.md", "docs/d.cmd"]
    assert world.outputs.texts["site/a.html"] == "[site/else/d.out[]]\n[nowhere[]]"


def test_a_request_for_a_document_leaves_out_what_it_links_to() -> None:
    world = World({"docs/a.md": "leads docs/b.md", "docs/b.md": "B"})
    world.start(BuildRequested(RequestId("r"), "asked", frozenset({DocumentId("docs/a.md")})))
    assert world.settle() == ["docs/a.md"]


def test_a_new_form_of_urls_reaches_who_uses_them_although_no_output_moves() -> None:
    world = at_rest(
        {"docs/in/index.md": "I", "docs/a.md": "url docs/in/index.md", "docs/b.md": "leads docs/in/index.md"}
    )
    world.layout = replace(
        LAYOUT, rules=(replace(PAGE_RULE, clean_urls=True, recipe=Digest("page 2")), *LAYOUT.rules[1:])
    )
    world.start()
    assert world.settle() == ["docs/a.md", "docs/b.md", "docs/in/index.md"]
    index = world.machine.graph[DocumentId("docs/a.md")].dependencies[0]
    assert index.hash == " site/in/"


def test_a_document_that_gets_a_rule_is_followed_by_the_links_to_it() -> None:
    world = World({"docs/a.md": "leads docs/d.cmd\nleads docs/gone.cmd", "docs/d.cmd": "x"}, PAGES_ALONE)
    world.start()
    world.settle()
    assert world.outputs.texts["site/a.html"] == "[nowhere[]]\n[nowhere[]]"
    world.layout = LAYOUT
    world.start()
    assert world.settle() == ["docs/a.md", "docs/d.cmd"]
    assert world.outputs.texts["site/a.html"] == "[site/d.out[]]\n[nowhere[]]"


def test_documents_that_are_only_linked_to_do_not_count_as_missing() -> None:
    world = at_rest({"docs/a.md": "leads docs/b.md\nleads site/b.html", "docs/c.md": "include docs/d.txt"})
    assert len(world.machine.graph.missing) == 1
    world.save("docs/c.md", "leads docs/d.txt")
    world.settle()
    assert len(world.machine.graph.missing) == 0
    world.save("docs/c.md", "include docs/b.md")
    world.settle()
    assert len(world.machine.graph.missing) == 1


def test_a_link_may_lead_to_one_of_several_outputs_or_into_a_folder_that_is_filled() -> None:
    text = "leads site/b.two\nleads site/c/x.html\nleads site/b.three"
    world = World({"docs/a.md": text, "docs/b.two": "B", "docs/c.box": "in x.html C"})
    world.start()
    assert sorted(world.settle()) == ["docs/a.md", "docs/b.two", "docs/c.box"]
    assert world.outputs.texts["site/a.html"] == "[site/b.two[]]\n[site/c/x.html[]]\n[nowhere[]]"
    world.remove("docs/b.two")
    assert world.settle() == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"].startswith("[nowhere[]]")
