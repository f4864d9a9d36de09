"""Documents that say themselves where their outputs are: who follows when one moves, and what is removed."""

from __future__ import annotations

from core.world import World, at_rest
from kahnd.core.model import DocumentId, Status

A, B = "docs/a.md", "docs/b.md"


def made(world: World) -> list[str]:
    return sorted(world.outputs.texts)


def test_a_document_that_moves_takes_its_output_along_and_renders_who_uses_its_url() -> None:
    world = at_rest({A: "slug x", B: f"leads {A}", "docs/c.md": f"title {A}"})
    assert made(world) == ["site/b.html", "site/c.html", "site/x.html"]
    world.save(A, "slug y")
    assert sorted(world.settle()) == [A, B, "docs/c.md"]  # the title is its first line
    assert made(world) == ["site/b.html", "site/c.html", "site/y.html"]
    assert world.outputs.texts["site/b.html"] == "[site/y.html[]]"
    assert world.removed == ["site/x.html"]


def test_a_place_is_known_after_a_restart() -> None:
    world = at_rest({A: "slug x", B: f"leads {A}"})
    world.start()
    assert world.settle() == []
    assert world.machine.graph[DocumentId(A)].claims == ("site/x.html",)


def test_a_link_to_an_alias_is_told_when_the_alias_goes_comes_or_becomes_the_page_itself() -> None:
    world = at_rest({A: "alias z", B: "leads site/z.html"})
    for text, outputs, shown in (
        ("one", ["site/a.html", "site/b.html"], "[nowhere[]]"),
        ("alias z", ["site/a.html", "site/b.html", "site/z.html"], "[site/z.html[]]"),
        ("slug z", ["site/b.html", "site/z.html"], "[site/z.html[]]"),
        ("slug y", ["site/b.html", "site/y.html"], "[nowhere[]]"),
    ):
        world.save(A, text)
        world.settle()
        assert made(world) == outputs
        assert world.outputs.texts["site/b.html"] == shown


def test_an_edit_of_a_page_renders_nobody_who_links_to_its_alias() -> None:
    world = at_rest({A: "alias z", B: "leads site/z.html"})
    world.save(A, "alias z\nmore")
    assert world.settle() == [A]


def test_a_removed_page_takes_its_aliases_with_it_and_links_to_them_are_told() -> None:
    world = at_rest({A: "alias z", B: "leads site/z.html"})
    world.remove(A)
    assert world.settle() == [B]
    assert made(world) == ["site/b.html"]
    assert world.outputs.texts["site/b.html"] == "[nowhere[]]"


def test_a_mistake_fails_the_document_alone_and_keeps_its_last_good_output() -> None:
    world = at_rest({A: "slug x", B: f"leads {A}"})
    world.save(A, "slug ?")
    world.settle()
    assert world.statuses() == {A: Status.FAILED, B: Status.DONE}
    assert made(world) == ["site/b.html", "site/x.html"]
    assert world.outputs.texts["site/b.html"] == "[site/a.html[]]"
    world.save(A, "slug x")
    world.settle()
    assert world.statuses() == {A: Status.DONE, B: Status.DONE}


def test_two_documents_at_one_place_fail_until_one_moves_away() -> None:
    world = at_rest({A: "slug x", B: "b", "docs/c.md": "c"})
    world.save(B, "alias x")
    world.settle()
    assert world.statuses() == {A: Status.FAILED, B: Status.FAILED, "docs/c.md": Status.DONE}
    assert "docs/a.md and docs/b.md both render to site/x.html (correct `aliases`, `slug` or" in str(world.problem(A))
    world.save(A, "slug y")
    world.settle()
    assert made(world) == ["site/b.html", "site/c.html", "site/x.html", "site/y.html"]


def test_an_alias_at_the_documents_own_place_is_a_mistake_that_can_be_corrected() -> None:
    world = at_rest({A: "alias a"})
    assert world.statuses() == {A: Status.FAILED}
    world.save(A, "alias z")
    world.settle()
    assert made(world) == ["site/a.html", "site/z.html"]


def test_a_page_that_moves_while_another_finds_its_place_renders_that_one_again() -> None:
    """Nobody knew that B uses A, and it has read A's place before A moved: its result does not count."""
    world = at_rest({A: "a", B: "b", "docs/p.txt": f"leads {A}", "docs/c.md": "slug c"})
    world.save(B, "find docs/p.txt")
    world.compute(B)
    world.save(A, "slug x")
    world.settle()
    assert world.outputs.texts["site/b.html"] == "[site/x.html[]]"
