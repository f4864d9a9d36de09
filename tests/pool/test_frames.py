"""Values survive the way through the pipe."""

from __future__ import annotations

import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kahnd.core.model import Dependency, DocumentId, Failed, Job, Kind, Outcome, Problem, Rendered, Unmet
from kahnd.pool.local import worker

values = st.one_of(*(st.from_type(each) for each in (Job, Rendered, Failed, Unmet)))
"""Text without unpaired surrogates: Hypothesis's default."""


@given(values)
def test_jobs_and_outcomes_survive_the_pipe(value: Job | Outcome) -> None:
    try:
        packed = worker.frame(value)
    except OverflowError:  # a line of more than 64 bits
        assume(condition=False)
    assert worker.read_frame(io.BytesIO(packed)) == value


def test_a_greeting_may_be_of_any_type() -> None:
    assert worker.read_frame(io.BytesIO(worker.greeting_frame({1: frozenset("a")}))) == {1: frozenset("a")}


def test_frames_are_read_one_after_another() -> None:
    first, second = (Failed(Problem(name)) for name in "ab")
    stream = io.BytesIO(worker.frame(first) + worker.frame(second) + b"\0")
    assert [worker.read_frame(stream), worker.read_frame(stream), worker.read_frame(stream)] == [first, second, None]


def test_an_unpaired_surrogate_cannot_be_packed() -> None:
    with pytest.raises(UnicodeEncodeError):
        worker.frame(Unmet(Dependency(DocumentId("\ud800"), Kind.PAGE), Problem("not there")))


@given(st.text(st.characters()), st.text(st.characters()), st.integers(min_value=-(1 << 63), max_value=(1 << 64) - 1))
def test_a_problem_with_any_text_can_be_packed(message: str, file: str, line: int) -> None:
    told = Failed(Problem(message, file, line))
    assert worker.read_frame(io.BytesIO(worker.frame(told))) == told
