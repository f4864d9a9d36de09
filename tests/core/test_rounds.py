"""What tells a program that writes into sources from somebody who saves often."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from kahnd.core.model import DocumentId
from kahnd.core.rounds import FREE, LIMIT, LONGEST, Rounds

A, B, C = map(DocumentId, ("docs/a", "docs/b", "docs/c"))


def _written(rounds: Rounds, document: DocumentId, *amid: DocumentId, reaches: tuple[DocumentId, ...] = ()) -> None:
    told: Mapping[DocumentId, tuple[DocumentId, ...]] = {document: amid} if amid else {}
    rounds.changed([document], told)
    rounds.reached([document, *reaches])


def test_what_is_written_while_it_is_rendered_is_let_rest_and_then_stopped() -> None:
    rounds = Rounds()
    rests = []
    for _ in range(LIMIT):
        assert rounds.endless(A) is None
        _written(rounds, A, A)
        rests.append(rounds.has_to_rest(A))
        assert not rounds.has_to_rest(A)
    assert rests == [False] * (FREE - 1) + [True] * (LIMIT - FREE + 1)
    problem = rounds.endless(A)
    assert problem
    assert problem.message.startswith("changed while it was rendered, 6 times in a row")


def test_a_save_in_between_begins_anew() -> None:
    rounds = Rounds()
    for _ in range(LIMIT - 1):
        _written(rounds, A, A)
    _written(rounds, A)
    assert not rounds.has_to_rest(A)
    _written(rounds, A, A)
    assert not rounds.has_to_rest(A)
    assert rounds.endless(A) is None


def test_two_that_write_into_each_other_are_stopped() -> None:
    rounds = Rounds()
    for _ in range(LIMIT):
        _written(rounds, A, B)
        _written(rounds, B, A)
    problem = rounds.endless(B)
    assert problem
    assert "the command of docs/b writes into docs/a" in problem.message
    assert "the command of docs/a writes into docs/b" in problem.message


def test_a_generator_that_is_run_for_each_save_of_its_source_is_none() -> None:
    rounds = Rounds()
    for _ in range(10 * LIMIT):
        _written(rounds, A)
        _written(rounds, B, A)
        assert not rounds.has_to_rest(B)
        assert rounds.endless(B) is None


def test_a_program_that_writes_what_its_document_depends_on_is_stopped() -> None:
    rounds = Rounds()
    for _ in range(LIMIT):
        _written(rounds, C, A, reaches=(A,))
    assert rounds.endless(A)


def test_a_save_amid_a_long_rendering_of_another_is_a_save() -> None:
    rounds = Rounds()
    for _ in range(10 * LIMIT):
        _written(rounds, A, C)
    assert rounds.endless(A) is None


def test_programs_that_make_new_documents_without_end_are_stopped() -> None:
    rounds = Rounds()
    names = [DocumentId(f"docs/{number}") for number in range(LONGEST + 1)]
    for before, name in itertools.pairwise(names):
        _written(rounds, name, before)
    assert rounds.endless(names[-1])


@pytest.mark.parametrize("asked", [1, 3])
def test_who_asks_for_it_gets_one_more_try_each_time(asked: int) -> None:
    rounds = Rounds()
    for _ in range(LIMIT):
        _written(rounds, A, A)
    for _ in range(asked):
        rounds.forgive(A)
        assert rounds.endless(A) is None
        assert not rounds.has_to_rest(A)
        _written(rounds, A, A)
        assert rounds.endless(A)
