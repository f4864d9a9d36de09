from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from e2e.harness import Corner, Daemon, Project

LAYERS = {
    "top.sum": "needs left.sum needs right.sum",
    "left.sum": "needs base.sum",
    "right.sum": "needs base.sum",
    "base.sum": "needs data.csv",
    "data.csv": "1",
    "alone.txt": "alone",
}


@pytest.fixture
def layered(project: Project) -> Project:
    """`top.sum` over `left.sum` and `right.sum`, both over `base.sum`, which needs the plain `data.csv`."""
    project.write_all({f"docs/{name}": content for name, content in LAYERS.items()})
    return project


def _plan(project: Project, *targets: str) -> tuple[list[list[str]], dict[str, str], list[list[str]]]:
    answer = project.kahnd("plan", "--json", *targets).json
    return [sorted(each) for each in answer["generations"]], answer["reasons"], answer["cycles"]


GENERATIONS = [["docs/alone.txt", "docs/base.sum"], ["docs/left.sum", "docs/right.sum"], ["docs/top.sum"]]


def test_a_plan_has_every_generation_and_a_reason_for_each(layered: Project) -> None:
    generations, reasons, cycles = _plan(layered)
    assert generations == GENERATIONS
    assert set(reasons) == {each for generation in GENERATIONS for each in generation}
    assert all(reasons.values())
    assert cycles == []


def test_a_plan_changes_nothing(layered: Project) -> None:
    _plan(layered)
    assert not layered.exists("site")
    assert _plan(layered)[0] == GENERATIONS
    assert len(layered.build()["rendered"]) == 5


def test_a_plan_of_a_target_has_what_it_needs(layered: Project) -> None:
    assert _plan(layered, "docs/left.sum")[0] == [["docs/base.sum"], ["docs/left.sum"]]


def test_after_a_build_there_is_nothing_to_plan_but_what_an_edit_affects(layered: Project) -> None:
    layered.build()
    assert _plan(layered) == ([], {}, [])
    layered.append("docs/left.sum", "\nedited")
    generations, reasons, _ = _plan(layered)
    assert generations == [["docs/left.sum"], ["docs/top.sum"]]
    assert "content" in reasons["docs/left.sum"]
    layered.build()
    layered.remove("site/alone.txt")
    generations, reasons, _ = _plan(layered)
    assert generations == [["docs/alone.txt"]]
    assert "output" in reasons["docs/alone.txt"]


def test_a_plan_tells_cycles(project: Project) -> None:
    project.write_all({"docs/x.sum": "needs y.sum", "docs/y.sum": "needs x.sum", "docs/z.txt": "Z"})
    generations, _, cycles = _plan(project)
    assert generations == [["docs/z.txt"]]
    assert sorted(cycles[0][:-1]) == ["docs/x.sum", "docs/y.sum"]
    assert cycles[0][0] == cycles[0][-1]


def test_a_daemon_has_nothing_left_to_plan(live: Daemon) -> None:
    live.project.write("docs/planned.txt", "P")
    live.project.wait()
    assert _plan(live.project) == ([], {}, [])


@pytest.fixture
def drawn(corner: Corner) -> Corner:
    """The same layers under a daemon."""
    corner.write_all(LAYERS)
    corner.wait()
    return corner


def _drawn(corner: Corner, *words: str) -> tuple[dict[str, dict[str, Any]], dict[tuple[str, str], str]]:
    """The nodes by name and the edges' kinds by both ends' names, of what lies in this folder."""
    start, graph = f"docs/{corner.name}/", corner.project.graph(*words)
    nodes = {each["id"].replace(start, ""): each for each in graph["nodes"] if start in each["id"]}
    edges = {(each["from"], each["to"]): each["kind"] for each in graph["edges"] if start in each["from"]}
    return nodes, {(above.replace(start, ""), below.replace(start, "")): kind for (above, below), kind in edges.items()}


def test_a_graph_has_every_document_and_edge(drawn: Corner) -> None:
    nodes, edges = _drawn(drawn)
    assert set(nodes) == set(LAYERS)
    assert nodes["base.sum"]["output"] == f"site/{drawn.name}/base.cksum"
    assert (nodes["data.csv"]["output"], nodes["data.csv"]["rule"]) == (None, None)
    assert {node["status"] for node in nodes.values()} == {"DONE"}
    assert set(edges) == {
        ("top.sum", "left.sum"),
        ("top.sum", "right.sum"),
        ("left.sum", "base.sum"),
        ("right.sum", "base.sum"),
        ("base.sum", "data.csv"),
    }


def test_kinds_of_edges_are_told(corner: Corner) -> None:
    corner.write_all(
        {
            "a.md": '{% include "_b.md" %}{{ page("c.md").title }}{{ data("d.json").x }}{{ output("e.sum") }}',
            "_b.md": "B",
            "c.md": '---\ndepends_on: [d.json]\n---\n{% for each in pages("posts/*.md") %}{% endfor %}',
            "d.json": '{"x": 1}',
            "e.sum": "E",
            "posts/p.md": "P",
        }
    )
    corner.wait()
    _, kinds = _drawn(corner)
    assert kinds["a.md", "_b.md"] == "include"
    assert kinds["a.md", "c.md"] == "page"
    assert kinds["a.md", "d.json"] == "data"
    assert kinds["a.md", "e.sum"] == "output"
    assert kinds["c.md", "d.json"] == "declared"
    assert kinds["c.md", "/posts/*.md"] == "collection"


def test_a_graph_of_a_target_and_in_reverse(drawn: Corner) -> None:
    left = drawn.document("left.sum")
    assert set(_drawn(drawn, left)[0]) == {"left.sum", "base.sum", "data.csv"}
    assert set(_drawn(drawn, left, "--reverse")[0]) == {"left.sum", "top.sum"}


def test_a_missing_document_is_in_the_graph(corner: Corner) -> None:
    corner.write("a.sum", "needs nowhere.sum")
    corner.wait(code=1)
    nodes, _ = _drawn(corner)
    assert {name: node["status"] for name, node in nodes.items()} == {"a.sum": "BLOCKED", "nowhere.sum": "MISSING"}
    corner.remove("a.sum")
    corner.wait()
    assert _drawn(corner) == ({}, {})


def test_a_graph_for_graphviz_and_for_mermaid(layered: Project) -> None:
    layered.write('docs/od"d.txt', "odd")
    layered.build()
    dot = layered.kahnd("graph", "--format", "dot").stdout
    assert dot.startswith("digraph")
    assert "docs/top.sum" in dot
    mermaid = layered.kahnd("graph", "--format", "mermaid").stdout
    assert mermaid.startswith(("flowchart", "graph"))
    assert "docs/top.sum" in mermaid
    if program := shutil.which("dot"):
        subprocess.run([program, "-Tsvg"], input=dot, text=True, check=True, capture_output=True)


def test_a_graph_without_a_daemon(layered: Project) -> None:
    layered.build()
    graph = layered.graph("docs/left.sum")
    assert {node["id"] for node in graph["nodes"]} == {"docs/left.sum", "docs/base.sum", "docs/data.csv"}
