"""What a build would render, and why, without anything being done."""

from __future__ import annotations

from core.world import PAGE_RULE, World, at_rest, with_recipe
from kahnd.core.preview import Preview, preview


def rehearsed(world: World, **edits: str | None) -> Preview:
    """What is planned over a project with no workers; edits by the document's name, None for its end."""
    for name, text in edits.items():
        path = f"docs/{name.replace('_', '.')}"
        if text is None:
            world.delete(path)
        else:
            world.write(path, text)
    world.slots = 0
    world.start()
    return preview(world.machine)


CHAIN = {"docs/a.md": "one", "docs/b.md": "output docs/a.md", "docs/c.md": "output docs/b.md", "docs/other.md": ""}


def test_an_edit_s_dependents_in_generations_with_their_reasons() -> None:
    found = rehearsed(at_rest(CHAIN), a_md="two")
    assert found.generations == (("docs/a.md",), ("docs/b.md",), ("docs/c.md",))
    assert found.reasons == {
        "docs/a.md": "content changed",
        "docs/b.md": "needs docs/a.md",
        "docs/c.md": "needs docs/b.md",
    }


def test_a_project_at_rest_plans_nothing() -> None:
    assert rehearsed(at_rest(CHAIN)) == Preview((), {}, ())


def test_a_new_project_plans_everything() -> None:
    found = rehearsed(World(CHAIN))
    assert found.generations == (("docs/a.md", "docs/other.md"), ("docs/b.md",), ("docs/c.md",))
    assert set(found.reasons.values()) == {"new"}


def test_a_plain_document_takes_no_generation_of_its_own() -> None:
    found = rehearsed(at_rest({"docs/p.txt": "one", "docs/a.md": "include docs/p.txt"}), p_txt="two")
    assert found.generations == (("docs/a.md",),)
    assert found.reasons == {"docs/a.md": "needs docs/p.txt"}


def test_another_recipe_is_a_reason() -> None:
    world = at_rest({"docs/a.md": "one", "docs/d.cmd": ""})
    world.layout = with_recipe(PAGE_RULE, "2")
    assert rehearsed(world).reasons == {"docs/a.md": "recipe changed"}


def test_a_lost_output_is_a_reason() -> None:
    world = at_rest(CHAIN)
    del world.outputs.texts["site/c.html"]
    assert rehearsed(world).reasons == {"docs/c.md": "its output is gone"}


def test_another_member_of_a_collection_is_a_reason() -> None:
    found = rehearsed(at_rest({"docs/i.cmd": "pages docs/*.md", "docs/a.md": ""}), b_md="")
    assert found.reasons == {"docs/b.md": "new", "docs/i.cmd": "other documents match docs/*.md"}


def test_what_would_be_blocked_or_is_on_a_cycle_is_not_planned() -> None:
    found = rehearsed(at_rest(CHAIN), a_md="output docs/b.md", d_cmd="include docs/nowhere.txt")
    assert found.generations == ()
    assert found.reasons == {}


def test_a_plan_is_what_a_build_then_does() -> None:
    world = at_rest(CHAIN)
    planned = rehearsed(world, a_md="two", b_md="alone now")
    world.slots = 10
    world.start()
    assert world.settle() == sorted(document for generation in planned.generations for document in generation)
