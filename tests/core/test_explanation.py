"""A plan says which documents a build would render, and why, and changes nothing."""

from __future__ import annotations

from core.world import PAGE_RULE, World, at_rest, with_recipe
from kahnd.core.explanation import BuildPlan, plan_build


def rehearsed(world: World, **edits: str | None) -> BuildPlan:
    """Returns the plan after some edits, by document name (None: deleted), with no workers."""
    for name, text in edits.items():
        path = f"docs/{name.replace('_', '.')}"
        if text is None:
            world.delete(path)
        else:
            world.write(path, text)
    world.slots = 0
    world.start()
    return plan_build(world.machine)


CHAIN = {"docs/a.md": "one", "docs/b.md": "output docs/a.md", "docs/c.md": "output docs/b.md", "docs/other.md": ""}


def test_a_plan_has_dependents_in_generations_with_their_reasons() -> None:
    found = rehearsed(at_rest(CHAIN), a_md="two")
    assert found.generations == (("docs/a.md",), ("docs/b.md",), ("docs/c.md",))
    assert found.summaries == {
        "docs/a.md": "content changed",
        "docs/b.md": "needs docs/a.md",
        "docs/c.md": "needs docs/b.md",
    }


def test_a_project_at_rest_plans_nothing() -> None:
    assert rehearsed(at_rest(CHAIN)) == BuildPlan((), {}, ())


def test_a_new_project_plans_everything() -> None:
    found = rehearsed(World(CHAIN))
    assert found.generations == (("docs/a.md", "docs/other.md"), ("docs/b.md",), ("docs/c.md",))
    assert set(found.summaries.values()) == {"new"}


def test_a_plain_document_takes_no_generation_of_its_own() -> None:
    found = rehearsed(at_rest({"docs/p.txt": "one", "docs/a.md": "include docs/p.txt"}), p_txt="two")
    assert found.generations == (("docs/a.md",),)
    assert found.summaries == {"docs/a.md": "needs docs/p.txt"}


def test_a_new_recipe_is_a_reason() -> None:
    world = at_rest({"docs/a.md": "one", "docs/d.cmd": ""})
    world.layout = with_recipe(PAGE_RULE, "2")
    assert rehearsed(world).summaries == {"docs/a.md": "recipe changed"}


def test_a_lost_output_is_a_reason() -> None:
    world = at_rest(CHAIN)
    del world.outputs.texts["site/c.html"]
    assert rehearsed(world).summaries == {"docs/c.md": "its output is gone"}


def test_a_new_member_of_a_collection_is_a_reason() -> None:
    found = rehearsed(at_rest({"docs/i.cmd": "pages docs/*.md", "docs/a.md": ""}), b_md="")
    assert found.summaries == {"docs/b.md": "new", "docs/i.cmd": "other documents match docs/*.md"}


def test_blocked_documents_and_cycles_are_not_planned() -> None:
    found = rehearsed(at_rest(CHAIN), a_md="output docs/b.md", d_cmd="include docs/nowhere.txt")
    assert found.generations == ()
    assert found.summaries == {}


def test_a_build_does_what_was_planned() -> None:
    world = at_rest(CHAIN)
    planned = rehearsed(world, a_md="two", b_md="alone now")
    world.slots = 10
    world.start()
    assert world.settle() == sorted(document for generation in planned.generations for document in generation)
