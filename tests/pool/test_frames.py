"""What goes over the pipe comes out as it was."""

from __future__ import annotations

import io

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kahnd.core.model import Dependency, DocumentId, Failed, Job, Kind, Outcome, Problem, Rendered, Unmet
from kahnd.pool import frames

values = st.one_of(*(st.from_type(each) for each in (Job, Rendered, Failed, Unmet)))
"""Text without half a character: Hypothesis's default."""


@given(values)
def test_jobs_and_outcomes_come_out_as_they_went_in(value: Job | Outcome) -> None:
    try:
        packed = frames.pack(value)
    except OverflowError:  # a line of more than 64 bits
        assume(condition=False)
    assert frames.read(io.BytesIO(packed)) == value


def test_a_greeting_may_be_of_any_type() -> None:
    assert frames.read(io.BytesIO(frames.greeting({1: frozenset("a")}))) == {1: frozenset("a")}


def test_frames_come_one_after_another_until_the_end() -> None:
    first, second = (Failed(Problem(name)) for name in "ab")
    stream = io.BytesIO(frames.pack(first) + frames.pack(second) + b"\0")
    assert [frames.read(stream), frames.read(stream), frames.read(stream)] == [first, second, None]


def test_half_a_character_goes_nowhere() -> None:
    with pytest.raises(UnicodeEncodeError):
        frames.pack(Unmet(Dependency(DocumentId("\ud800"), Kind.PAGE), Problem("not there")))


@given(st.text(st.characters()), st.text(st.characters()), st.integers(min_value=-(1 << 63), max_value=(1 << 64) - 1))
def test_a_problem_with_any_text_can_be_told(message: str, file: str, line: int) -> None:
    told = Failed(Problem(message, file, line))
    assert frames.read(io.BytesIO(frames.pack(told))) == told
