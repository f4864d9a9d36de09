"""Changed and removed rules reach the documents that use the outputs of others."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.world import COMMAND_RULE, ELSEWHERE, LAYOUT, PAGE_RULE, PAGES_ALONE, World, at_rest
from kahnd.core.model import Status
from kahnd.core.rules import Layout


def restarted(world: World, layout: Layout) -> list[str]:
    """Runs another session with these rules until all is quiet; returns what it rendered."""
    world.layout = layout
    world.start()
    return world.settle()


def test_a_user_of_an_output_that_no_rule_makes_any_more_fails() -> None:
    world = at_rest({"docs/a.md": "output docs/c.cmd", "docs/c.cmd": "x"})
    assert world.outputs.texts["site/c.out"] == world.sources.texts["docs/c.cmd"]
    assert restarted(world, PAGES_ALONE) == []
    assert world.status("docs/a.md") is Status.FAILED


def test_an_output_whose_rule_returns_renders_nothing_else() -> None:
    world = at_rest({"docs/a.md": "output docs/c.cmd", "docs/c.cmd": "x"})
    restarted(world, PAGES_ALONE)
    assert restarted(world, LAYOUT) == ["docs/c.cmd"]
    assert world.status("docs/a.md") is Status.DONE


def test_a_link_finds_an_output_that_moved_while_its_source_changed() -> None:
    world = at_rest({"docs/a.md": "leads site/else/c.out", "docs/c.cmd": "x"})
    assert world.outputs.texts["site/a.html"] == "[nowhere[]]"
    world.sources.write("docs/c.cmd", "y")
    restarted(world, ELSEWHERE)
    assert world.outputs.texts["site/a.html"] == "[site/else/c.out[]]"


def test_the_folder_that_a_program_keeps_is_removed_with_its_document() -> None:
    keeping = replace(LAYOUT, rules=(PAGE_RULE, replace(COMMAND_RULE, parameters=SimpleNamespace(keeps_cache=True))))
    world = at_rest({"docs/a.md": "", "docs/c.cmd": "x", "docs/d.cmd": "x"}, keeping)
    world.remove("docs/a.md")
    world.remove("docs/c.cmd")
    world.settle()
    assert world.cleared == ["docs/c.cmd"]


@pytest.mark.parametrize(("layout", "url"), [(PAGES_ALONE, None), (ELSEWHERE, "site/else/c.out")])
def test_the_url_of_a_document_that_was_never_rendered_follows_its_rule(layout: Layout, url: str | None) -> None:
    world = at_rest({"docs/a.md": "url docs/c.cmd", "docs/c.cmd": "fail"})
    assert restarted(world, layout) == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"] == f"[{url}]"
    assert restarted(world, LAYOUT) == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"] == "[site/c.out]"


def test_the_url_of_a_document_that_fails_after_a_move_returns_with_its_rule() -> None:
    world = at_rest({"docs/a.md": "url docs/c.cmd", "docs/c.cmd": "x"})
    world.write("docs/c.cmd", "fail")
    restarted(world, ELSEWHERE)
    assert world.outputs.texts["site/a.html"] == "[site/else/c.out]"
    assert restarted(world, LAYOUT) == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"] == "[site/c.out]"
