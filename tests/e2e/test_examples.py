"""The handbook is a project like any other; so is kahnd's own documentation, see tests/docs/test_site.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.harness import Daemon, Project

REPOSITORY = Path(__file__).parents[2]
CONTENT_KINDS = {"page", "collection"}


def _copied(origin: Path, root: Path) -> Project:
    shutil.copytree(origin, root, ignore=shutil.ignore_patterns(".kahnd", "site"))
    return Project(root)


def _affected_by(graph: dict[str, list[dict[str, Any]]], edited: str) -> list[str]:
    """The rendered documents an edit reaches: by content what names it, and by all other kinds what is above."""
    edges = graph["edges"]
    reached = {edited} | {edge["from"] for edge in edges if edge["to"] == edited}
    while above := {e["from"] for e in edges if e["to"] in reached and e["kind"] not in CONTENT_KINDS} - reached:
        reached |= above
    return sorted(node["id"] for node in graph["nodes"] if node["id"] in reached and node["output"])


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = _copied(REPOSITORY / "examples" / "handbook", tmp_path_factory.mktemp("book") / "handbook")
    with project.daemon() as daemon:
        yield daemon


def _partials(project: Project) -> list[str]:
    """The plain pages that something includes."""
    graph = project.graph()
    plain = {node["id"] for node in graph["nodes"] if node["output"] is None}
    return sorted({e["to"] for e in graph["edges"] if e["kind"] == "include" and e["to"].endswith(".md")} & plain)


def test_the_handbook_builds_whole(tmp_path: Path) -> None:
    project = _copied(REPOSITORY / "examples" / "handbook", tmp_path / "handbook")
    answer = project.build()
    assert len(answer["rendered"]) >= 10
    assert (answer["failed"], answer["blocked"], answer["cycles"]) == ([], [], [])
    assert project.build()["rendered"] == []


def test_saving_a_partial_renders_exactly_the_pages_that_include_it(handbook: Daemon) -> None:
    project = handbook.project
    partials = _partials(project)
    assert partials
    graph = project.graph()
    for partial in partials:
        expected = _affected_by(graph, partial)
        assert expected
        with project.renders(*expected):
            project.append(partial, "\nA sentence that was not there.\n")
        assert project.build()["rendered"] == []


def test_the_handbooks_outputs_are_those_of_a_fresh_build(handbook: Daemon) -> None:
    project = handbook.project
    for partial in _partials(project):
        project.append(partial, "\nAnother sentence.\n")
    project.wait()
    assert project.outputs() == project.fresh_outputs()


def test_the_handbook_has_what_its_readers_are_told(handbook: Daemon) -> None:
    """Partials, a layout, a data sheet that two documents read, a collection, and a chain of three."""
    edges = handbook.project.graph()["edges"]
    kinds = {edge["kind"] for edge in edges}
    assert {"include", "template", "data", "collection"} <= kinds
    sheets = [edge["to"] for edge in edges if edge["kind"] == "data" and edge["to"].endswith(".csv")]
    assert any(sheets.count(sheet) >= 2 for sheet in sheets)
    above = {edge["to"]: edge["from"] for edge in edges if edge["kind"] not in CONTENT_KINDS}
    assert any(above.get(above.get(end, "")) for end in above)
