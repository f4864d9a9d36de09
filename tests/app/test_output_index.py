"""The index of outputs, over a graph in memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kahnd.app.current_session import CurrentSession
from kahnd.app.output_index import OutputIndex
from kahnd.app.session import Session
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Facts, OutputPath, Problem, Snapshot, Status
from kahnd.core.rules import Layout, Rule

HASH = Digest("a" * 32)
RULES = (
    Rule(0, "docs/**/*.md", "page", "{dir}/{stem}.html"),
    Rule(1, "docs/**/*.tree", "command", "{dir}/{stem}/"),
    Rule(2, "docs/**/*.css", "copy", "{dir}/{stem}.{hash}.css"),
)


def rendered(document: str, *outputs: str, **more: Any) -> Facts:
    """A document with these outputs, in the output folder."""
    paths = [OutputPath(f"site/{each}") for each in outputs]
    known: dict[str, Any] = {"status": Status.DONE, "output": paths[0], "output_hash": HASH}
    if len(paths) > 1:
        known["outputs"] = tuple((path, HASH) for path in paths)
    return Facts(DocumentId(document), **(known | more))


def index_of(*documents: Facts) -> OutputIndex:
    layout = Layout(("docs",), "site", RULES)
    engine = SimpleNamespace(machine=SimpleNamespace(graph=Graph(layout, Snapshot(documents))))
    session = SimpleNamespace(engine=engine, project=SimpleNamespace(root=Path("/p"), layout=layout))
    sessions = CurrentSession()
    sessions.session = cast("Session", session)
    return OutputIndex(sessions)


def test_an_output_is_found_by_its_path_and_by_its_document() -> None:
    index = index_of(rendered("docs/posts/a.md", "posts/a.html"))
    found = index.find("posts/a.html")
    assert found
    assert (found.document, found.path, found.digest, found.status) == (
        "docs/posts/a.md",
        "posts/a.html",
        HASH,
        Status.DONE,
    )
    assert index.of_document("docs/posts/a.md") == (found,)
    assert index.document_of("posts/a.html") == "docs/posts/a.md"
    assert index.folder == Path("/p/site")


@pytest.mark.parametrize("path", ["", "posts", "a.html", "site/posts/a.html", "posts/a.html/", "../docs/posts/a.md"])
def test_no_other_path_is_found(path: str) -> None:
    assert index_of(rendered("docs/posts/a.md", "posts/a.html")).find(path) is None


def test_an_output_to_come_has_no_hash() -> None:
    problem = Problem("no")
    culprit = DocumentId("docs/b.md")
    blocked = Facts(DocumentId("docs/a.md"), Status.BLOCKED, problem=problem, because=culprit)
    found = index_of(blocked).find("a.html")
    assert found
    assert (found.digest, found.status, found.problem, found.because) == (None, Status.BLOCKED, problem, culprit)


def test_a_folder_that_is_filled_has_the_files_that_were_made() -> None:
    made = rendered("docs/book.tree", "book/index.html", "book/img/a.png")
    index = index_of(made)
    assert index.find("book/img/a.png")
    assert index.find("book/img/b.png") is None
    assert [each.path for each in index.of_document("docs/book.tree")] == ["book/index.html", "book/img/a.png"]
    coming = index_of(Facts(DocumentId("docs/book.tree"), Status.DIRTY)).find("book/img/b.png")
    assert coming, "nobody knows yet which files it makes"
    assert coming.digest is None


def test_an_output_stays_where_it_is_until_its_document_has_another() -> None:
    """The rule gives it another path, and its rendering fails: the last good output is still there."""
    document = rendered("docs/a.md", "old/a.html", status=Status.FAILED)
    index = index_of(document)
    former, present = index.find("old/a.html"), index.find("a.html")
    assert former
    assert present
    assert (former.digest, present.digest) == (HASH, None)
    assert [each.path for each in index.of_document("docs/a.md")] == ["old/a.html", "a.html"]


def test_a_former_path_is_free_once_its_document_is_elsewhere_or_gone() -> None:
    for after in (rendered("docs/a.md", "a.html"), None):
        graph = Graph(Layout(("docs",), "site", RULES), Snapshot((rendered("docs/a.md", "old/a.html"),)))
        assert [node.document for node in graph.published_at(OutputPath("site/old/a.html"))] == ["docs/a.md"]
        if after:
            graph.put(after)
        else:
            graph.drop(DocumentId("docs/a.md"))
        assert graph.published_at(OutputPath("site/old/a.html")) == []


def test_between_sessions_nothing_is_known() -> None:
    index = OutputIndex(CurrentSession())
    assert not index.is_open
    assert index.find("a.html") is None
    assert index.of_document("docs/a.md") == ()
    assert index.near("a.html", 5) == ()
    assert index.folder is None


def test_near_paths_are_those_that_look_alike() -> None:
    pages = (rendered(f"docs/posts/{name}.md", f"posts/{name}.html") for name in ("first", "second", "third", "zebra"))
    index = index_of(*pages)
    assert index.near("posts/frist.html", 2)[0] == "posts/first.html"
    assert len(index.near("posts/firs.html", 1)) == 1
    assert "posts/third.html" in index.near("third.html", 3)
    assert index.near("quite/different", 3) == ()
