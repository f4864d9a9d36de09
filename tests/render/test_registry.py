"""The registry of renderers, and their part in a recipe."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kahnd.core.rules import Layout
from kahnd.errors import ConfigError
from kahnd.render.renderers import registry
from kahnd.render.renderers.parameters import CommandParameters, CopyParameters, PageParameters, TemplateParameters
from render.workshop import Workshop

BROUGHT = """
import msgspec

class Parameters(msgspec.Struct, frozen=True):
    loud: bool = False

class Shout:
    name, version, judges_missing, parameters = "shout", "3", False, Parameters
    def __init__(self, root, layout): ...
    def fingerprint(self, parameters): return ""
"""


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with two renderers, one of which can't be loaded."""
    site = tmp_path / "packages"
    (site / "shouting-1.dist-info").mkdir(parents=True)
    (site / "shouting.py").write_text(BROUGHT)
    (site / "shouting-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: shouting\nVersion: 1\n")
    points = "[kahnd.renderers]\nshout = shouting:Shout\nbroken = no_such_module:Shout\n"
    (site / "shouting-1.dist-info/entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(site)


def test_built_in_parameters_are_known_without_importing_a_renderer() -> None:
    code = (
        "import sys; from kahnd.render.renderers import registry\n"
        "assert all(registry.parameters_type(name) for name in registry.BUILT_IN)\n"
        "assert not {'jinja2', 'pyromark', 'pygments', 'yaml'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_renderer_is_told_with_those_there_are(shop: Workshop) -> None:
    assert registry.parameters_type("no-such") is None
    layout = replace(shop.layout, rules=(replace(shop.layout.rules[0], renderer="no-such"),))
    with pytest.raises(ConfigError, match=r"no renderer 'no-such' \(there are page, template, command, copy, python"):
        registry.create(shop.root, layout)


@pytest.mark.usefixtures("brought")
def test_a_package_brings_a_renderer(shop: Workshop) -> None:
    assert {"shout", "broken"} <= set(registry.names())
    kind = registry.parameters_type("shout")
    assert kind
    assert registry.check(kind()) == []
    layout = replace(shop.layout, rules=(replace(shop.layout.rules[0], renderer="shout", parameters=kind()),))
    assert registry.with_recipes(layout, shop.root).rules[0].recipe


@pytest.mark.usefixtures("brought")
def test_a_renderer_that_can_not_be_loaded_is_told() -> None:
    with pytest.raises(ConfigError, match="'broken' can't be loaded"):
        registry.parameters_type("broken")


def _recipes(shop: Workshop, layout: Layout | None = None) -> list[str | None]:
    return [rule.recipe for rule in registry.with_recipes(layout or shop.layout, shop.root).rules]


def test_a_recipe_is_the_renderer_and_its_parameters(shop: Workshop) -> None:
    shop.by(("docs/*.md", CopyParameters()), ("docs/*.in", CommandParameters(command=("cp", "{output}"))))
    before = _recipes(shop)
    assert before == _recipes(shop)
    shop.by(("docs/*.md", CopyParameters()), ("docs/*.in", CommandParameters(command=("mv", "{output}"))))
    assert (_recipes(shop)[0], _recipes(shop)[1]) == (before[0], _recipes(shop)[1])
    assert _recipes(shop)[1] != before[1]


def test_another_rule_is_no_part_of_a_recipe(shop: Workshop) -> None:
    page, copy = ("docs/*.md", PageParameters()), ("docs/*.css", CopyParameters())
    shop.by(page, copy, ("docs/*.txt", TemplateParameters()))
    before = _recipes(shop)
    shop.by(page, (*copy, "moved/{name}"), ("docs/*.txt", TemplateParameters()))
    assert _recipes(shop) == before


def test_who_judges_what_is_missing_is_told_by_the_renderer(shop: Workshop) -> None:
    shop.by(("docs/*.md", PageParameters()), ("docs/*.css", CopyParameters()))
    assert [rule.judges_missing for rule in registry.with_recipes(shop.layout, shop.root).rules] == [True, False]


def test_a_worker_for_commands_alone_loads_no_template_engine(tmp_path: Path) -> None:
    """Each worker would hold it, and the time to load it would pass before the first rendering after a start."""
    program = (
        "import sys; from pathlib import Path; from kahnd.core.rules import Layout, Rule\n"
        "from kahnd.pool.local import worker; from kahnd.render.renderers import registry\n"
        "registry.create(Path(sys.argv[1]), Layout(('docs',), 'site', (Rule(0, '**', 'command', '{name}'),)))\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True)
    unneeded = {"jinja2", "pygments", "pyromark", "yaml", "markupsafe", "importlib.metadata", "anyio", "asyncio"}
    assert unneeded.isdisjoint(loaded.stdout.split())
