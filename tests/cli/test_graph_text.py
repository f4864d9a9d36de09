from __future__ import annotations

import re
import shutil
import subprocess
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.cli.report import dot, mermaid

ODD = ['a"b.md', "back\\slash.md", "end\\", "a -> b;.md", "ü %.md", "new\nline", "[x](y).md", "n1", "end", "'|<>&#35;"]


def _graph(*edges: tuple[str, str, str], lone: tuple[str, ...] = ()) -> Any:
    names = dict.fromkeys([*lone, *(name for source, target, _ in edges for name in (source, target))])
    nodes = [{"id": name, "status": "DONE", "rule": None, "output": None} for name in names]
    return {"nodes": nodes, "edges": [{"from": a, "to": b, "kind": kind} for a, b, kind in edges]}


GRAPH = _graph(("a.md", "b.md", "include"), ("b.md", "/c/*.md", "collection"), lone=("d.md",))


def test_dot_has_every_node_and_edge() -> None:
    lines = dot(GRAPH).splitlines()
    assert (lines[0], lines[-1]) == ("digraph kahnd {", "}")
    assert '  "a.md" -> "b.md" [label="include"];' in lines
    assert '  "b.md" -> "/c/*.md" [label="collection", style=dashed];' in lines
    assert sum('fillcolor="#d7f0d7"' in line for line in lines) == 4


def test_mermaid_has_every_node_and_edge() -> None:
    lines = [line.strip() for line in mermaid(GRAPH).splitlines()]
    assert lines[0] == "flowchart LR"
    numbers = {match[2]: match[1] for line in lines if (match := re.fullmatch(r'(n\d+)\["(.*)"\]', line))}
    assert set(numbers) == {"a.md", "b.md", "/c/*.md", "d.md"}
    assert f"{numbers['a.md']} -->|include| {numbers['b.md']}" in lines
    assert f"{numbers['b.md']} -.->|collection| {numbers['/c/*.md']}" in lines


def test_an_empty_graph_is_one() -> None:
    assert mermaid(_graph()) == "flowchart LR"
    assert dot(_graph()).endswith("}")


QUOTED = r'"(?:[^"\\\n]|\\.)*"'
STATEMENT = re.compile(rf"  (?:rankdir=LR|node \[.*\]|{QUOTED}(?: -> {QUOTED})? \[\w+={QUOTED}(?:, style=dashed)?\]);")
MERMAID = re.compile(r'  (?:n\d+\["[^"\[\]|<>\n]*"\]|n\d+ -\.?->\|[\w#;]+\| n\d+|classDef .*|class [n\d,]+ [A-Z]+)')
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(ODD)


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["include", "page"])), max_size=4))
def test_no_name_breaks_out_of_its_quotes(edges: list[tuple[str, str, str]]) -> None:
    graph = _graph(*edges)
    assert all(STATEMENT.fullmatch(line) for line in dot(graph).split("\n")[1:-1])
    assert all(MERMAID.fullmatch(line) for line in mermaid(graph).split("\n")[1:])


def test_names_come_out_of_dots_quotes_as_they_went_in() -> None:
    text = dot(_graph(lone=tuple(ODD)))
    unquoted = [
        re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), each)
        for each in re.findall(r'^  "((?:[^"\\]|\\.)*)" ', text, re.MULTILINE)
    ]
    assert unquoted == ODD


@pytest.mark.skipif(not shutil.which("dot"), reason="Graphviz is not installed")
def test_graphviz_takes_it() -> None:
    graph = _graph(*((a, b, "include") for a, b in pairwise(ODD)))
    subprocess.run(["dot", "-Tsvg"], input=dot(graph), text=True, check=True, capture_output=True)
