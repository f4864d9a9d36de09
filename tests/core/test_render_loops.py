"""Commands that write into sources are told from users who save often."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from kahnd.core.model import DocumentId
from kahnd.core.render_loops import LIMIT, LONGEST, UNDELAYED, RenderLoops

A, B, C = map(DocumentId, ("docs/a", "docs/b", "docs/c"))


def _written(
    rounds: RenderLoops, document: DocumentId, *amid: DocumentId, reaches: tuple[DocumentId, ...] = ()
) -> None:
    told: Mapping[DocumentId, tuple[DocumentId, ...]] = {document: amid} if amid else {}
    rounds.changed([document], told)
    rounds.propagated([document, *reaches])


def test_a_document_written_by_its_own_rendering_is_delayed_and_then_stopped() -> None:
    rounds = RenderLoops()
    rests = []
    for _ in range(LIMIT):
        assert rounds.loop_problem(A) is None
        _written(rounds, A, A)
        rests.append(rounds.needs_delay(A))
        assert not rounds.needs_delay(A)
    assert rests == [False] * (UNDELAYED - 1) + [True] * (LIMIT - UNDELAYED + 1)
    problem = rounds.loop_problem(A)
    assert problem
    assert problem.message.startswith("changed while it was rendered, 6 times in a row")


def test_a_save_in_between_starts_the_count_again() -> None:
    rounds = RenderLoops()
    for _ in range(LIMIT - 1):
        _written(rounds, A, A)
    _written(rounds, A)
    assert not rounds.needs_delay(A)
    _written(rounds, A, A)
    assert not rounds.needs_delay(A)
    assert rounds.loop_problem(A) is None


def test_two_commands_that_write_into_each_other_s_sources_are_stopped() -> None:
    rounds = RenderLoops()
    for _ in range(LIMIT):
        _written(rounds, A, B)
        _written(rounds, B, A)
    problem = rounds.loop_problem(B)
    assert problem
    assert "the command of docs/b writes into docs/a" in problem.message
    assert "the command of docs/a writes into docs/b" in problem.message


def test_a_generator_that_runs_for_each_save_is_no_loop() -> None:
    rounds = RenderLoops()
    for _ in range(10 * LIMIT):
        _written(rounds, A)
        _written(rounds, B, A)
        assert not rounds.needs_delay(B)
        assert rounds.loop_problem(B) is None


def test_a_command_that_writes_its_document_s_dependency_is_stopped() -> None:
    rounds = RenderLoops()
    for _ in range(LIMIT):
        _written(rounds, C, A, reaches=(A,))
    assert rounds.loop_problem(A)


def test_saves_during_a_long_rendering_of_another_document_are_no_loop() -> None:
    rounds = RenderLoops()
    for _ in range(10 * LIMIT):
        _written(rounds, A, C)
    assert rounds.loop_problem(A) is None


def test_commands_that_write_new_documents_without_end_are_stopped() -> None:
    rounds = RenderLoops()
    names = [DocumentId(f"docs/{number}") for number in range(LONGEST + 1)]
    for before, name in itertools.pairwise(names):
        _written(rounds, name, before)
    assert rounds.loop_problem(names[-1])


@pytest.mark.parametrize("asked", [1, 3])
def test_each_request_allows_one_more_rendering(asked: int) -> None:
    rounds = RenderLoops()
    for _ in range(LIMIT):
        _written(rounds, A, A)
    for _ in range(asked):
        rounds.allow_retry(A)
        assert rounds.loop_problem(A) is None
        assert not rounds.needs_delay(A)
        _written(rounds, A, A)
        assert rounds.loop_problem(A)
