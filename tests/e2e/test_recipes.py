"""Each recipe of `kahnd init --recipe` is built, edited under a daemon, broken and mended, and equals a fresh build.

A recipe whose programs are not installed is left out; `make recipes` sets RECIPES=all, so that it fails instead. Only
Typst is always there: without its program, its compiler from PyPI stands behind that name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e import typst_program
from e2e.harness import Project
from e2e.recipes import RECIPES, Change, Edit, Mistake, Recipe
from kahnd.cli.commands import project as commands


def test_every_recipe_is_tested() -> None:
    assert {each.name for each in RECIPES} == set(commands.RECIPES)


def test_a_recipe_and_another_starter_are_not_made_at_once(tmp_path: Path) -> None:
    told = Project(tmp_path).kahnd("init", "--site", "--recipe", "latex", "made", code=2)
    assert "--site and --recipe make different projects\n  give one of them" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_edits_and_mistakes_in_a_recipe_end_as_a_fresh_build(recipe: Recipe, tmp_path: Path) -> None:
    env = typst_program.install(tmp_path / "bin") if "typst" in recipe.programs and not shutil.which("typst") else {}
    missing = [each for each in recipe.programs if shutil.which(each, path=env.get("PATH")) is None]
    if missing and os.environ.get("RECIPES") != "all":
        pytest.skip(f"needs {', '.join(missing)}")
    assert not missing, f"install {', '.join(missing)}"
    project = _made(recipe, tmp_path, env)
    with project.daemon():
        outputs = _fresh(project)
        for edit in recipe.edits:
            outputs = _follow(project, edit, outputs)
        for mistake in recipe.mistakes:
            _mend(project, mistake, outputs)


def _made(recipe: Recipe, folder: Path, env: Mapping[str, str]) -> Project:
    empty = Project(folder / "empty")
    empty.kahnd("init", "--recipe", recipe.name, "made")
    return Project(empty.path("made"), dict(env))


def _fresh(project: Project) -> dict[str, bytes]:
    """Returns the outputs, which are those of a fresh build; without failures or warnings."""
    answer = project.wait()
    assert answer["warnings"] == []
    outputs = project.outputs()
    assert outputs == project.fresh_outputs()
    return outputs


def _follow(project: Project, edit: Edit, before: Mapping[str, bytes]) -> dict[str, bytes]:
    """Edits; what is rendered is what differs in a fresh build, and nothing else."""
    with project.renders(*edit.renders):
        _make(edit, project)
    after = _fresh(project)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {document for document, made in _made_by(project).items() if made & changed} == set(edit.renders), edit
    return after


def _made_by(project: Project) -> dict[str, set[str]]:
    """Each document's outputs, relative to the output folder."""

    def outputs(node: dict[str, Any]) -> set[str]:
        return {each.removeprefix("site/") for each in (node.get("outputs") or [node["output"]]) if each}

    return {node["id"]: outputs(node) for node in project.graph()["nodes"]}


def _mend(project: Project, mistake: Mistake, outputs: Mapping[str, bytes]) -> None:
    """Makes the mistake and undoes it: it is told with its place, and everything recovers."""
    before = project.path(mistake.file).read_bytes()
    _make(mistake, project)
    answer = project.wait(code=1)
    places = {
        each["document"]: f"{each['file']}:{each.get('line', 0)}" for each in (*answer["failed"], *answer["blocked"])
    }
    assert mistake.places.items() <= places.items(), answer
    assert {each["document"] for each in answer["failed"]} <= mistake.places.keys(), answer
    project.write(mistake.file, before)
    project.wait()
    assert project.outputs() == outputs, mistake


def _make(change: Change, project: Project) -> None:
    if change.instead:
        project.write(change.file, project.path(change.instead).read_bytes())
        return
    text = project.read(change.file)
    assert change.old in text, f"{change.old!r} is not in {change.file}"
    project.write(change.file, text.replace(change.old, change.new))
