"""What other rules come to for those that name a document whose rule is another now, or gone."""

from __future__ import annotations

from core.world import LAYOUT, PAGES_ALONE, World, at_rest
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
