from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import DocumentId
from kahnd.core.scheduler import PART, Preference, Readiness, Schedule, cyclic

Needs = dict[DocumentId, set[DocumentId]]
IDS = [DocumentId(letter) for letter in "abcdefgh"]

ids = st.sampled_from(IDS)
graphs = st.dictionaries(ids, st.sets(ids, max_size=3), max_size=len(IDS))


def acyclic(needs: Needs) -> Needs:
    """Returns the edges of a graph that lead towards the beginning of the alphabet."""
    return {document: {each for each in targets if each < document} for document, targets in needs.items()}


dags = graphs.map(acyclic)


def as_needs(**needs: str) -> Needs:
    return {DocumentId(document): set(map(DocumentId, targets)) for document, targets in needs.items()}


def taken(schedule: Schedule) -> list[DocumentId]:
    """Takes everything ready."""
    found = []
    while document := schedule.take():
        found.append(document)
    return found


@given(needs=dags, data=st.data())
def test_everything_is_finished_once_and_after_its_dependencies(needs: Needs, data: st.DataObject) -> None:
    schedule = Schedule()
    schedule.add(needs)
    out: list[DocumentId] = []
    finished: list[DocumentId] = []
    while schedule:
        out += taken(schedule)
        each = data.draw(st.sampled_from(out))
        assert {need for need in needs[each] if need in needs} <= set(finished)
        out.remove(each)
        schedule.finish(each, rendered=True)
        finished.append(each)
    assert sorted(finished) == sorted(needs)
    assert schedule.take() is None


@given(needs=dags)
def test_ready_documents_are_those_of_graphlib(needs: Needs) -> None:
    schedule = Schedule()
    schedule.add(needs)
    sorter = TopologicalSorter({each: targets & needs.keys() for each, targets in needs.items()})
    sorter.prepare()
    while sorter:
        ready = taken(schedule)
        assert sorted(ready) == sorted(sorter.get_ready())
        for each in ready:
            schedule.finish(each, rendered=False)
            sorter.done(each)
    assert not schedule


weights = st.fixed_dictionaries({each: st.integers(0, 9) for each in IDS})


def work_above(document: DocumentId, needs: Needs, weigh: dict[DocumentId, int]) -> int:
    """Returns the length of the longest path of work that begins with a document."""
    above = [each for each, targets in needs.items() if document in targets]
    return weigh[document] + max((work_above(each, needs, weigh) for each in above), default=0)


@given(needs=dags, weigh=weights)
def test_of_ready_documents_the_longest_path_of_work_goes_first(needs: Needs, weigh: dict[DocumentId, int]) -> None:
    schedule = Schedule(lambda document: weigh[document])
    schedule.add(needs)
    while ready := taken(schedule):
        ranks = [work_above(each, needs, weigh) for each in ready]
        assert ranks == sorted(ranks, reverse=True)
        for each in ready:
            schedule.finish(each, rendered=True)


def test_of_equal_documents_the_first_ready_goes_first() -> None:
    schedule = Schedule()
    schedule.add(as_needs(c="", a="", b=""))
    assert taken(schedule) == ["c", "a", "b"]


def test_a_document_added_again_is_ready_once() -> None:
    schedule = Schedule()
    schedule.add(as_needs(a="", b=""))
    schedule.add(as_needs(a=""))
    assert taken(schedule) == ["b", "a"]


@given(needs=dags, unchanged=st.sets(ids))
def test_a_generation_is_the_longest_chain_of_renderings_below(needs: Needs, unchanged: set[DocumentId]) -> None:
    schedule = Schedule()
    schedule.add(needs)
    schedule.add({DocumentId("last"): set()})
    generations: dict[DocumentId, int] = {}
    while ready := [each for each in taken(schedule) if each != "last"]:
        for each in ready:
            generations[each] = schedule.generation(each)
            schedule.finish(each, rendered=each not in unchanged)
    for each, targets in needs.items():
        below = [generations[need] + (need not in unchanged) for need in targets if need in needs]
        assert generations[each] == max(below, default=0)


@given(needs=dags, again=dags, first=st.integers(0, 8))
def test_documents_added_again_wait_for_their_new_dependencies(needs: Needs, again: Needs, first: int) -> None:
    schedule = Schedule()
    schedule.add(needs)
    for document in [each for each in (schedule.take() for _ in range(first)) if each]:
        schedule.finish(document, rendered=True)
    unfinished = {**dict.fromkeys(schedule), **dict.fromkeys(again)}
    expected = {each: set(waits) for each, waits in schedule.needs().items()}
    expected |= {each: {need for need in targets if need in unfinished} for each, targets in again.items()}
    schedule.add(again)
    assert schedule.needs() == expected
    finished = []
    while ready := taken(schedule):
        for each in ready:
            schedule.finish(each, rendered=True)
        finished += ready
    assert sorted(finished) == sorted(unfinished)


def test_a_document_added_again_while_it_runs_is_taken_again() -> None:
    schedule = Schedule()
    schedule.add(as_needs(a=""))
    assert taken(schedule) == ["a"]
    schedule.add(as_needs(a="b", b=""))
    assert taken(schedule) == ["b"]
    schedule.finish(DocumentId("b"), rendered=True)
    assert taken(schedule) == ["a"]


def test_finished_dependencies_do_not_count() -> None:
    schedule = Schedule()
    schedule.add(as_needs(b="a"))
    assert taken(schedule) == ["b"]


def test_a_discarded_document_is_not_taken() -> None:
    schedule = Schedule()
    schedule.add(as_needs(a="", b=""))
    schedule.discard(DocumentId("a"))
    schedule.discard(DocumentId("never there"))
    assert taken(schedule) == ["b"]


def test_generations_start_again_with_an_empty_schedule() -> None:
    schedule = Schedule()
    schedule.add(as_needs(a="", b="a"))
    for each in ("a", "b"):
        assert schedule.take() == each
        schedule.finish(DocumentId(each), rendered=True)
    schedule.add(as_needs(b=""))
    assert schedule.generation(DocumentId("b")) == 0


def test_a_chain_of_ten_thousand_needs_no_recursion() -> None:
    chain = [DocumentId(str(number)) for number in range(10_000)]
    needs = {each: {need} for need, each in pairwise(chain)}
    schedule = Schedule()
    schedule.add({chain[0]: set(), **needs})
    for each in chain:
        assert schedule.take() == each
        assert schedule.generation(each) == int(each)
        schedule.finish(each, rendered=True)
    assert cyclic({**needs, chain[0]: {chain[-1]}}) == [frozenset(chain)]
    assert cyclic(needs) == []


@given(needs=graphs)
def test_cyclic_documents_are_those_that_reach_each_other(needs: Needs) -> None:
    reach = {each: _reachable(needs, each) for each in needs}
    naive = {
        frozenset(other for other in needs if other in reach[each] and each in reach[other])
        for each in needs
        if each in reach[each]
    }
    found = cyclic(needs)
    assert set(found) == naive
    assert len(found) == len(naive)


@given(needs=graphs)
def test_there_are_cycles_exactly_where_graphlib_finds_one(needs: Needs) -> None:
    assert any(_cycle_by_graphlib(needs) <= knot for knot in cyclic(needs)) == bool(cyclic(needs))
    assert bool(_cycle_by_graphlib(needs)) == bool(cyclic(needs))


def _cycle_by_graphlib(needs: Needs) -> set[DocumentId]:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return set(error.args[1])
    return set()


def test_stuck_are_the_cycles_and_not_the_documents_that_wait_for_them() -> None:
    schedule = Schedule()
    schedule.add(as_needs(a="b", b="a", c="a", d="d"))
    assert set(schedule.stuck()) == {frozenset("ab"), frozenset("d")}


def _reachable(needs: Needs, start: DocumentId) -> set[DocumentId]:
    found: set[DocumentId] = set()
    rest = [start]
    while rest:
        fresh = [each for each in needs.get(rest.pop(), ()) if each not in found]
        found.update(fresh)
        rest += fresh
    return found


def test_many_documents_are_added_with_a_pause_after_each_part() -> None:
    schedule = Schedule()
    chain = [DocumentId(str(number)) for number in range(10 * PART)]
    needs = {each: {below} for each, below in zip(chain[1:], chain, strict=False)}
    pauses = sum(1 for _ in schedule.add_in_parts({chain[0]: set(), **needs}))
    assert pauses >= 4 * 10
    assert (schedule.take(), schedule.take()) == (chain[0], None)


def test_a_document_waited_for_the_last_rendering_to_finish_of_those_below_it() -> None:
    """What was not rendered passes on what it waited for itself."""
    schedule = Schedule()
    schedule.add(as_needs(a="", b="", p="a", t="pb"))
    schedule.moment = 1.0
    taken(schedule)
    schedule.finish(DocumentId("b"), rendered=True)
    schedule.moment = 2.0
    schedule.finish(DocumentId("a"), rendered=True)
    assert schedule.readiness(DocumentId("p")).after == "a"
    schedule.moment = 3.0
    schedule.finish(DocumentId("p"), rendered=False)
    assert taken(schedule) == ["t"]
    assert schedule.readiness(DocumentId("t")) == Readiness(3.0, 1, DocumentId("a"))


def test_nothing_is_waited_for_in_the_next_build_that_was_in_the_last_one() -> None:
    schedule = Schedule()
    for moment in (1.0, 2.0):
        schedule.moment = moment
        schedule.add(as_needs(a="", b="a") if moment < 2 else as_needs(b=""))
        while document := schedule.take():
            last = schedule.readiness(document)
            schedule.finish(document, rendered=True)
    assert last == Readiness(2.0, 0, None)


def order(schedule: Schedule) -> list[DocumentId]:
    """Takes and finishes one document after another."""
    found = []
    while document := schedule.take():
        found.append(document)
        schedule.finish(document, rendered=True)
    return found


def test_what_is_preferred_goes_first_with_what_it_needs() -> None:
    schedule = Schedule()
    schedule.prefer([DocumentId("z"), DocumentId("unknown")])
    schedule.add(as_needs(a="", b="", c="", x="", y="x", z="yc"))
    first = order(schedule)[:4]
    assert sorted(first) == ["c", "x", "y", "z"]
    assert first[-1] == "z"


def test_what_is_preferred_while_a_build_goes_on_overtakes_the_rest_and_gives_way_again() -> None:
    schedule = Schedule()
    schedule.add(as_needs(a="", b="", c="", d="", e=""))
    assert schedule.take() == "a"
    schedule.prefer([DocumentId("e")])
    assert schedule.take() == "e"
    schedule.prefer([DocumentId("d")])
    schedule.prefer([])
    assert sorted(taken(schedule)) == ["b", "c", "d"]


def test_the_longest_work_goes_first_among_what_is_preferred_too() -> None:
    schedule = Schedule(weigh=lambda document: {"a": 9.0, "b": 1.0, "c": 5.0, "d": 7.0}[document])
    schedule.prefer([DocumentId("b"), DocumentId("c")])
    schedule.add(as_needs(a="", b="", c="", d=""))
    assert taken(schedule) == ["c", "b", "a", "d"]


def test_only_what_is_preferred_is_walked_through() -> None:
    """The cost of a preference does not grow with the project."""
    seen = 0

    class Needs(dict[DocumentId, set[DocumentId]]):
        def __getitem__(self, document: DocumentId) -> set[DocumentId]:
            nonlocal seen
            seen += 1
            return super().__getitem__(document)

    preference = Preference()
    preference.roots = frozenset({DocumentId("d5")})
    chain = {DocumentId(f"d{number}"): {DocumentId(f"d{number - 1}")} for number in range(6, 0, -1)}
    many = {DocumentId(f"x{number}"): {DocumentId("d0")} for number in range(10_000)}
    assert len(preference.spread(Needs({**many, **chain, DocumentId("d0"): set()}))) == 6
    assert seen == 6


@given(needs=dags, data=st.data())
def test_a_preference_never_takes_a_document_before_what_it_needs(needs: Needs, data: st.DataObject) -> None:
    """However often it changes meanwhile; each document is taken once, and what is preferred before all others."""
    schedule = Schedule()
    schedule.prefer(data.draw(st.sets(ids)))
    schedule.add(needs)
    finished: list[DocumentId] = []
    while schedule:
        preferred = data.draw(st.sets(ids))
        schedule.prefer(preferred)
        wanted = closure(needs, preferred & needs.keys()) - set(finished)
        ready = {each for each in needs.keys() - set(finished) if needs[each] & needs.keys() <= set(finished)}
        document = schedule.take()
        assert document in ready
        assert document in wanted or ready.isdisjoint(wanted)
        schedule.finish(document, rendered=True)
        finished.append(document)
    assert sorted(finished) == sorted(needs)


def closure(needs: Needs, documents: set[DocumentId]) -> set[DocumentId]:
    found, pending = set(documents), list(documents)
    while pending:
        fresh = (needs[pending.pop()] & needs.keys()) - found
        found |= fresh
        pending += fresh
    return found
