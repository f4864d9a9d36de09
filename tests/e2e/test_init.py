"""`kahnd init && kahnd build`: a project that renders at once, and that a daemon keeps up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.harness import Project


@pytest.fixture
def made(tmp_path: Path) -> Project:
    """As somebody makes it who has read one line."""
    empty = Project(tmp_path / "empty")
    answer = empty.kahnd("init", "notes", "--json").json
    project = Project(empty.path("notes"))
    assert answer["root"] == str(project.root)
    assert sorted(answer["files"]) == sorted(
        str(each.relative_to(project.root)) for each in project.root.rglob("*") if each.is_file()
    )
    return project


def test_it_renders_at_once_with_every_concept(made: Project) -> None:
    answer = made.build()
    assert len(answer["rendered"]) == len(made.outputs())
    assert answer["failed"] == answer["blocked"] == answer["warnings"] == []
    graph = made.graph()
    kinds = {edge["kind"] for edge in graph["edges"]}
    assert kinds >= {"include", "template", "data", "page", "output", "collection", "declared"}
    assert {node["rule"] for node in graph["nodes"]} >= {"docs/**/*.md", "docs/**/*.list", "docs/**/*.css"}
    index = made.output("index.html")
    assert "<h1" in index
    for row in made.read("data/harvest.csv").splitlines()[1:]:
        assert f"<td>{row.split(',')[0]}</td>" in index
    assert all(word in index for word in made.read("docs/shopping.list").split())
    assert index.count('<a href="notes/') >= 2
    assert made.build()["rendered"] == []


def test_a_daemon_follows_edits_there(made: Project) -> None:
    with made.daemon():
        with made.renders("docs/index.md"):
            made.append("data/harvest.csv", "quinces,3\n")
        assert "<td>quinces</td>" in made.output("index.html")
        with made.renders("docs/shopping.list", "docs/index.md"):
            made.append("docs/shopping.list", "apricots\n")
        with made.renders("docs/notes/third.md", "docs/index.md"):
            made.write("docs/notes/third.md", "---\ntitle: A third\ndate: 2020-01-01\n---\nHello.\n")
        assert "A third" in made.output("index.html")
        assert made.outputs() == made.fresh_outputs()
