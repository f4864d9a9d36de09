from __future__ import annotations

import shutil
import subprocess

import pytest

from e2e.harness import Daemon, Project


@pytest.fixture
def layered(project: Project) -> Project:
    """`top.sum` over `left.sum` and `right.sum`, both over `base.sum`, which needs the plain `data.csv`."""
    project.write_all(
        {
            "docs/top.sum": "needs left.sum needs right.sum",
            "docs/left.sum": "needs base.sum",
            "docs/right.sum": "needs base.sum",
            "docs/base.sum": "needs data.csv",
            "docs/data.csv": "1",
            "docs/alone.txt": "alone",
        }
    )
    return project


def _plan(project: Project, *targets: str) -> tuple[list[list[str]], dict[str, str], list[list[str]]]:
    answer = project.kahnd("plan", "--json", *targets).json
    return [sorted(each) for each in answer["generations"]], answer["reasons"], answer["cycles"]


def _ids(graph: dict[str, list[dict[str, str]]]) -> set[str]:
    return {node["id"] for node in graph["nodes"]}


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


def test_a_graph_has_every_document_and_edge(layered: Project) -> None:
    layered.build()
    graph = layered.graph()
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert set(nodes) == {
        f"docs/{name}" for name in ("top.sum", "left.sum", "right.sum", "base.sum", "data.csv", "alone.txt")
    }
    assert nodes["docs/base.sum"]["output"] == "site/base.cksum"
    assert nodes["docs/data.csv"]["output"] is None
    assert nodes["docs/data.csv"]["rule"] is None
    assert {node["status"] for node in graph["nodes"]} == {"DONE"}
    assert {(edge["from"], edge["to"]) for edge in graph["edges"]} == {
        ("docs/top.sum", "docs/left.sum"),
        ("docs/top.sum", "docs/right.sum"),
        ("docs/left.sum", "docs/base.sum"),
        ("docs/right.sum", "docs/base.sum"),
        ("docs/base.sum", "docs/data.csv"),
    }


def test_kinds_of_edges_are_told(project: Project) -> None:
    project.write_all(
        {
            "docs/a.md": '{% include "_b.md" %}{{ page("c.md").title }}{{ data("d.json").x }}{{ output("e.sum") }}',
            "docs/_b.md": "B",
            "docs/c.md": '---\ndepends_on: [d.json]\n---\n{% for each in pages("posts/*.md") %}{% endfor %}',
            "docs/d.json": '{"x": 1}',
            "docs/e.sum": "E",
            "docs/posts/p.md": "P",
        }
    )
    project.build()
    kinds = {(edge["from"], edge["to"]): edge["kind"] for edge in project.graph()["edges"]}
    assert kinds["docs/a.md", "docs/_b.md"] == "include"
    assert kinds["docs/a.md", "docs/c.md"] == "page"
    assert kinds["docs/a.md", "docs/d.json"] == "data"
    assert kinds["docs/a.md", "docs/e.sum"] == "output"
    assert kinds["docs/c.md", "docs/d.json"] == "declared"
    assert kinds["docs/c.md", "/docs/posts/*.md"] == "collection"


def test_a_graph_of_a_target_and_in_reverse(layered: Project) -> None:
    layered.build()
    assert _ids(layered.graph("docs/left.sum")) == {"docs/left.sum", "docs/base.sum", "docs/data.csv"}
    assert _ids(layered.graph("docs/left.sum", "--reverse")) == {"docs/left.sum", "docs/top.sum"}


def test_a_missing_document_is_in_the_graph(project: Project) -> None:
    project.write("docs/a.sum", "needs nowhere.sum")
    project.build(code=1)
    status = {node["id"]: node["status"] for node in project.graph()["nodes"]}
    assert status == {"docs/a.sum": "BLOCKED", "docs/nowhere.sum": "MISSING"}


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


def test_a_graph_beside_a_daemon(live: Daemon) -> None:
    live.project.write_all({"docs/graphed/a.sum": "needs b.sum", "docs/graphed/b.sum": "B"})
    live.project.wait()
    assert _ids(live.project.graph("docs/graphed/a.sum")) == {"docs/graphed/a.sum", "docs/graphed/b.sum"}
