"""The pages about recipes show the rules that the recipes have."""

from __future__ import annotations

import tomllib

import pytest

from docs.reading import REPOSITORY, Code, steps
from kahnd.cli.commands.project import RECIPES

STARTERS = REPOSITORY / "daemon" / "kahnd" / "cli" / "starters" / "recipes"


@pytest.mark.parametrize("name", RECIPES)
def test_a_page_shows_rules_of_its_recipe(name: str) -> None:
    rules = tomllib.loads((STARTERS / name / "kahnd.toml").read_text())["rules"]
    page = (REPOSITORY / "docs" / "how-to" / f"{name}.md").read_text()
    blocks = [step.text for step in steps(page) if isinstance(step, Code) and step.language == "toml"]
    shown = [rule for block in blocks for rule in tomllib.loads(block).get("rules", [])]
    assert shown
    assert [rule for rule in shown if rule not in rules] == []
    assert f"kahnd init --recipe {name}" in page
