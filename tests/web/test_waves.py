"""The running build by waves, from what is done and what is still dirty."""

from __future__ import annotations

from kahnd.app.document_graph import CODES, DocumentGraph, Entry, document_graph
from kahnd.core.events import LogEvent
from kahnd.core.model import Dependency, DocumentId, Kind, Status
from kahnd.web.waves import MOST_WAVES, FinishedDocuments, Wave, waves

DONE, DIRTY = CODES[Status.DONE], CODES[Status.DIRTY]


def chain(*codes: int, rendered: bool = True) -> DocumentGraph:
    """Documents 000, 001, …, each of which needs the one before."""
    names = [DocumentId(f"{number:03}") for number in range(len(codes))]
    below: list[tuple[Dependency, ...]] = [(), *((Dependency(each, Kind.OUTPUT),) for each in names[:-1])]
    return document_graph(
        {each: Entry(code, rendered, needs) for each, code, needs in zip(names, codes, below, strict=True)}, 1
    )


def finished(*documents: str) -> list[DocumentId]:
    return [*map(DocumentId, documents)]


def test_a_wave_has_what_is_done_and_what_is_still_dirty_of_a_generation() -> None:
    assert waves(chain(DONE, DIRTY, DIRTY), finished("000")) == (Wave(0, 0, 1, 1), Wave(1, 1, 0, 1), Wave(2, 2, 0, 1))


def test_what_is_dirty_again_is_not_done_and_what_the_build_does_not_touch_is_in_no_wave() -> None:
    assert waves(chain(DONE, DIRTY, DONE), finished("001")) == (Wave(1, 1, 0, 1),)
    assert waves(chain(DONE, DONE, DONE), finished("gone")) == ()


def test_plain_documents_are_in_no_wave() -> None:
    assert waves(chain(DIRTY, DIRTY, rendered=False), ()) == ()


def test_a_build_of_many_generations_has_several_in_a_wave() -> None:
    found = waves(chain(*[DONE] * 30, *[DIRTY] * 70), finished(*(f"{number:03}" for number in range(30))))
    assert len(found) <= MOST_WAVES
    assert (sum(each.done for each in found), sum(each.total for each in found)) == (30, 100)
    assert [each.first for each in found[1:]] == [each.last + 1 for each in found[:-1]]


def test_documents_are_finished_by_their_outcomes_until_the_next_build_begins() -> None:
    heard = FinishedDocuments()
    for event in (LogEvent.DOCUMENT_RENDERED, LogEvent.DOCUMENT_SKIPPED, LogEvent.DOCUMENT_FAILED):
        heard.on_event(event, {"document": f"docs/{event}"})
    heard.on_event(LogEvent.DOCUMENT_DIRTY, {"document": "docs/dirty"})
    taken = heard.take()
    assert sorted(taken) == ["docs/document.failed", "docs/document.rendered", "docs/document.skipped"]
    heard.on_event(LogEvent.BUILD_STARTED, {"build": "1"})
    assert not heard.take()
    assert len(taken) == 3, "who has taken them keeps them"
