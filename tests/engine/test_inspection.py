"""What is found of outputs, and what is not told because it is another matter by now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from core.language import hash_of
from core.world import LAYOUT
from engine.fakes import MemoryOutputs
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Facts, OutputPath, Problem, Snapshot, Status
from kahnd.engine.inspection import Inspection
from kahnd.ports import Spoilt

A, B, C = (OutputPath(f"site/{name}.html") for name in ("a", "deep/b", "deep/c"))
DOCUMENTS = {A: DocumentId("docs/a.md"), B: DocumentId("docs/deep/b.md"), C: DocumentId("docs/deep/c.md")}


class Site(MemoryOutputs):
    """Three outputs as they should be, the graph that knows so, and something that happens while one looks."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph(LAYOUT, Snapshot(tuple(_done(output, "good") for output in DOCUMENTS)))
        self.inspection = Inspection(self.graph, self)
        self.meanwhile: Facts | None = None
        for output in DOCUMENTS:
            self.files.write(output, "good")

    def spoilt(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        if self.meanwhile:
            self.graph.put(self.meanwhile)
        return super().spoilt(expected)


def _done(output: OutputPath, text: str) -> Facts:
    known = Digest("1")
    return Facts(DOCUMENTS[output], Status.DONE, known, output=output, output_hash=hash_of(text))


def _only(*, absent: Iterable[OutputPath] = (), altered: Iterable[OutputPath] = ()) -> Spoilt:
    return Spoilt(frozenset(absent), frozenset(altered))


async def test_all_that_is_spoilt_is_found() -> None:
    site = Site()
    assert not await site.inspection.all()
    del site.files.texts[A]
    site.files.write(B, "spoilt")
    assert await site.inspection.near(None) == _only(absent=[A], altered=[B])


async def test_near_a_path_only_what_is_there_or_below_is_looked_at() -> None:
    site = Site()
    for output in DOCUMENTS:
        site.files.write(output, "spoilt")
    assert await site.inspection.near({A}) == _only(altered=[A])
    assert await site.inspection.near({"site/deep"}) == _only(altered=[B, C])
    assert await site.inspection.near({"site/dee", "site/deep/b"}) == _only()
    assert await site.inspection.of([DOCUMENTS[C], DocumentId("docs/unknown.md")]) == _only(altered=[C])


async def test_what_is_made_anew_while_one_looks_is_not_told() -> None:
    site = Site()
    for output in (A, B):
        site.files.write(output, "newer")
    site.meanwhile = _done(A, "newer")
    assert await site.inspection.all() == _only(altered=[B])


async def test_a_last_good_output_at_a_former_place_is_nobodys_loss() -> None:
    site = Site()
    site.graph.put(replace(_done(A, "good"), output=OutputPath("site/former.html")))
    assert not await site.inspection.all()


async def test_the_going_of_what_was_in_the_way_is_news_only_where_it_happens() -> None:
    site = Site()
    site.graph.put(Facts(DOCUMENTS[A], Status.FAILED, Digest("1"), problem=Problem("in the way", A)))
    assert not await site.inspection.near({A})
    del site.files.texts[A]
    assert await site.inspection.near({A}) == _only(absent=[A])
    assert not await site.inspection.all()
