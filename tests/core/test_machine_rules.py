"""What other rules come to for those that name a document whose rule is another now, or gone."""

from __future__ import annotations

import pytest

from core.world import ELSEWHERE, LAYOUT, PAGES_ALONE, World, at_rest
from kahnd.core.model import Status
from kahnd.core.rules import Layout


def restarted(world: World, layout: Layout) -> list[str]:
    """Another session by these rules, until all is quiet; what it rendered."""
    world.layout = layout
    world.start()
    return world.settle()


def test_who_uses_an_output_that_no_rule_makes_any_more_fails_though_it_had_the_bytes_of_its_source() -> None:
    world = at_rest({"docs/a.md": "output docs/c.cmd", "docs/c.cmd": "x"})
    assert world.outputs.texts["site/c.out"] == world.sources.texts["docs/c.cmd"]
    assert restarted(world, PAGES_ALONE) == []
    assert world.status("docs/a.md") is Status.FAILED


def test_an_output_that_is_made_again_is_as_good_as_it_was() -> None:
    world = at_rest({"docs/a.md": "output docs/c.cmd", "docs/c.cmd": "x"})
    restarted(world, PAGES_ALONE)
    assert restarted(world, LAYOUT) == ["docs/c.cmd"]
    assert world.status("docs/a.md") is Status.DONE


@pytest.mark.parametrize(("layout", "url"), [(PAGES_ALONE, None), (ELSEWHERE, "site/else/c.out")])
def test_the_url_of_what_could_never_be_rendered_follows_its_rule(layout: Layout, url: str | None) -> None:
    world = at_rest({"docs/a.md": "url docs/c.cmd", "docs/c.cmd": "fail"})
    assert restarted(world, layout) == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"] == f"[{url}]"
    assert restarted(world, LAYOUT) == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"] == "[site/c.out]"


def test_the_url_of_what_fails_where_it_is_now_is_again_that_of_its_last_good_output() -> None:
    world = at_rest({"docs/a.md": "url docs/c.cmd", "docs/c.cmd": "x"})
    world.write("docs/c.cmd", "fail")
    restarted(world, ELSEWHERE)
    assert world.outputs.texts["site/a.html"] == "[site/else/c.out]"
    assert restarted(world, LAYOUT) == ["docs/a.md"]
    assert world.outputs.texts["site/a.html"] == "[site/c.out]"
