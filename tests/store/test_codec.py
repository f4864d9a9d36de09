from __future__ import annotations

import tracemalloc

import msgspec
import pytest

from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Kind, OutputPath, Snapshot, Status
from kahnd.core.rules import Layout, Rule
from kahnd.store.codec import EdgeRow, FactsRow, SnapshotCollector

DOCUMENTS = 10_000
PAGE = 1_000
BYTES_EACH = 2_000
"""Bytes; measured are 1,500 with an edge. A hundred thousand documents must fit into 500 MB, the engine included."""


def _document(number: int) -> FactsRow:
    content, output, recipe = (Digest(f"{number:031}{sort}") for sort in "cor")
    hashes = (content, content, Digest(f"{number:031}i"), output, output, recipe, recipe)
    place = OutputPath(f"site/folder/{number:06}.html")
    stat = (number, number + (1 << 60), number + (2 << 60), number + (3 << 60), number + (4 << 60))
    return FactsRow(_path(number), Status.DONE, *hashes, place, None, None, stat, *[None] * 9)


def _path(number: int) -> DocumentId:
    return DocumentId(f"docs/folder/{number:06}.md")


def _edge(number: int) -> EdgeRow:
    target = max(0, number - 1)
    return EdgeRow(
        _path(number), _path(target), Kind.OUTPUT, 1, number, f"{target:031}o site/{target}", None, sure=True
    )


def _gathered(documents: int = DOCUMENTS) -> SnapshotCollector:
    """Decode page by page, as from a database, so that no two texts share an object by chance."""
    found = SnapshotCollector()
    for start in range(0, documents, PAGE):
        numbers = range(start, min(start + PAGE, documents))
        rows = msgspec.json.encode([_document(each) for each in numbers])
        edges = msgspec.json.encode([_edge(each) for each in numbers])
        found.add(
            msgspec.json.decode(rows, type=list[FactsRow]),
            msgspec.json.decode(edges, type=list[EdgeRow]),
        )
    return found


def test_equal_texts_are_kept_once() -> None:
    found = _gathered(3)
    first, second, third = found.documents
    assert second.last_rendered_hash is second.content_hash
    assert second.effective_hash is second.output_hash
    assert second.last_recipe_hash is second.recipe_hash
    (above,) = found.dependencies[second.id]
    assert above.target is first.id
    assert [document is facts.id for document, facts in zip(found.dependencies, (first, second, third), strict=True)]


def test_a_documents_edges_are_in_the_order_they_were_added() -> None:
    found = SnapshotCollector()
    edges = [EdgeRow(_path(9), _path(each), Kind.DATA, 1, 5 - each, None, None, sure=False) for each in range(5)]
    found.add([_document(9)], edges)
    assert [each.target for each in found.dependencies[_path(9)]] == [_path(each) for each in (4, 3, 2, 1, 0)]


@pytest.mark.slow
def test_the_mirror_of_a_large_project_is_small() -> None:
    layout = Layout(("docs",), "site", (Rule(0, "docs/**/*.md", "page", "{dir}/{stem}.html"),))
    tracemalloc.start()
    found = _gathered()
    graph = Graph(layout, Snapshot(tuple(found.documents), found.dependencies))
    del found
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert graph.counts[Status.DONE] == DOCUMENTS
    assert size < DOCUMENTS * BYTES_EACH, size / DOCUMENTS
