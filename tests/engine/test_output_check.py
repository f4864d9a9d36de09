"""The check of outputs: finds missing and altered ones, and ignores those that are published meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from core.language import hash_of
from core.world import LAYOUT
from engine.fakes import MemoryOutputs
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, Facts, OutputPath, Problem, RunId, Snapshot, Status
from kahnd.engine.inbox import Publications
from kahnd.engine.observer import OutputCheck
from kahnd.ports import Spoilt

A, B, C = (OutputPath(f"site/{name}.html") for name in ("a", "deep/b", "deep/c"))
DOCUMENTS = {A: DocumentId("docs/a.md"), B: DocumentId("docs/deep/b.md"), C: DocumentId("docs/deep/c.md")}


class Site(MemoryOutputs):
    """Three outputs as they should be, the graph that knows so, and something that happens while one looks."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph(LAYOUT, Snapshot(tuple(_done(output, "good") for output in DOCUMENTS)))
        self.publications = Publications()
        self.output_check = OutputCheck(self.graph, self, self.publications)
        self.meanwhile: Facts | None = None
        self.after_look: Callable[[], None] | None = None
        for output in DOCUMENTS:
            self.files.write(output, "good")

    def spoilt(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        if self.meanwhile:
            self.graph.put(self.meanwhile)
        found = super().spoilt(expected)
        if self.after_look:
            self.after_look()
        return found


def _done(output: OutputPath, text: str) -> Facts:
    known = Digest("1")
    return Facts(DOCUMENTS[output], Status.DONE, known, output=output, output_hash=hash_of(text))


def _only(*, absent: Iterable[OutputPath] = (), altered: Iterable[OutputPath] = ()) -> Spoilt:
    return Spoilt(frozenset(absent), frozenset(altered))


async def test_missing_and_altered_outputs_are_found() -> None:
    site = Site()
    assert not await site.output_check.all()
    del site.files.texts[A]
    site.files.write(B, "spoilt")
    assert await site.output_check.near(None) == _only(absent=[A], altered=[B])


async def test_only_outputs_at_or_below_the_paths_are_checked() -> None:
    site = Site()
    for output in DOCUMENTS:
        site.files.write(output, "spoilt")
    assert await site.output_check.near({A}) == _only(altered=[A])
    assert await site.output_check.near({"site/deep"}) == _only(altered=[B, C])
    assert await site.output_check.near({"site/dee", "site/deep/b"}) == _only()
    assert await site.output_check.of([DOCUMENTS[C], DocumentId("docs/unknown.md")]) == _only(altered=[C])


async def test_an_output_that_is_published_during_a_check_is_not_reported() -> None:
    site = Site()
    for output in (A, B):
        site.files.write(output, "newer")
    site.meanwhile = _done(A, "newer")
    assert await site.output_check.all() == _only(altered=[B])


async def test_a_report_tells_which_publications_the_look_may_have_missed() -> None:
    """The same bytes are put in place again between the look at the file and the report."""
    site = Site()
    del site.files.texts[A]

    def publish() -> None:
        site.publications.begin(RunId(1), frozenset({A}))
        site.publications.settle(RunId(1))
        site.publications.end(RunId(1))

    site.after_look = publish
    found = await site.output_check.all()
    assert (found, found.published, site.publications.count) == (_only(absent=[A]), 0, 1)


async def test_a_missing_output_at_a_former_path_is_not_reported() -> None:
    site = Site()
    site.graph.put(replace(_done(A, "good"), output=OutputPath("site/former.html")))
    assert not await site.output_check.all()


async def test_a_path_that_has_become_free_is_reported_only_after_an_event_there() -> None:
    site = Site()
    site.graph.put(Facts(DOCUMENTS[A], Status.FAILED, Digest("1"), problem=Problem("in the way", A)))
    assert not await site.output_check.near({A})
    del site.files.texts[A]
    assert await site.output_check.near({A}) == _only(absent=[A])
    assert not await site.output_check.all()
