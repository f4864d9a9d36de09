"""A graph as text for Graphviz and for Mermaid: from `{"nodes", "edges"}`; an edge points to what is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kahnd.core.written import written_out

Json = dict[str, Any]

_COLOURS: Final[Mapping[str, str]] = {
    "DONE": "#d7f0d7",
    "DIRTY": "#fff3c4",
    "FAILED": "#f8cccc",
    "BLOCKED": "#fadcc0",
    "MISSING": "#e2e2e2",
}
_CONTENT: Final = frozenset({"page", "collection"})
"""Kinds that ask for no order: drawn with dashes."""


def dot(graph: Json) -> str:
    """The graph in Graphviz's language."""
    return "\n".join(["digraph kahnd {", *(f"  {line}" for line in _dot_lines(graph)), "}"])


def _dot_lines(graph: Json) -> Iterator[str]:
    yield "rankdir=LR;"
    yield 'node [shape=box, style="rounded,filled", fontname="sans-serif", fillcolor="#ffffff"];'
    for node in graph["nodes"]:
        yield f'{_dot_quoted(node["id"])} [fillcolor="{_COLOURS.get(node["status"], "#ffffff")}"];'
    for edge in graph["edges"]:
        style = ", style=dashed" if edge["kind"] in _CONTENT else ""
        yield f"{_dot_quoted(edge['from'])} -> {_dot_quoted(edge['to'])} [label={_dot_quoted(edge['kind'])}{style}];"


def _dot_quoted(name: str) -> str:
    """A quoted string: Graphviz knows only the escaped quote, but reads backslashes in labels its own way."""
    lines = (written_out(each).replace("\\", "\\\\").replace('"', '\\"') for each in name.split("\n"))
    return '"' + "\\n".join(lines) + '"'


def mermaid(graph: Json) -> str:
    """The graph in Mermaid's language. Its names are numbers, since Mermaid's own can't be quoted."""
    names = sorted(
        {node["id"] for node in graph["nodes"]} | {edge[end] for edge in graph["edges"] for end in ("from", "to")}
    )
    numbers = {name: f"n{number}" for number, name in enumerate(names)}
    return "\n".join(["flowchart LR", *(f"  {line}" for line in _mermaid_lines(graph, numbers))])


def _mermaid_lines(graph: Json, numbers: Mapping[str, str]) -> Iterator[str]:
    for name, number in numbers.items():
        yield f'{number}["{_mermaid_escaped(name)}"]'
    for edge in graph["edges"]:
        arrow = "-.->" if edge["kind"] in _CONTENT else "-->"
        yield f"{numbers[edge['from']]} {arrow}|{_mermaid_escaped(edge['kind'])}| {numbers[edge['to']]}"
    for status, colour in _COLOURS.items():
        members = [numbers[node["id"]] for node in graph["nodes"] if node["status"] == status]
        if members:
            yield f"classDef {status} fill:{colour},stroke:#888"
            yield f"class {','.join(members)} {status}"


def _mermaid_escaped(text: str) -> str:
    """Mermaid's entities for all that could end a label or mean something in it."""
    return "".join(each if each.isalnum() or each in " /._-*" else f"#{ord(each)};" for each in written_out(text))


FORMATS: Final[Mapping[str, Callable[[Json], str]]] = {"dot": dot, "mermaid": mermaid}
