"""What the database, the log and the socket can hold."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.problem import Problem
from kahnd.core.text import LARGEST, LONGEST_SHOWN, SMALLEST, clamped, is_whole, plain, shortened, whole

ANY_TEXT = st.text(st.characters())
"""Half characters too."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=20,
)


@given(ANY_TEXT)
def test_every_text_can_be_written_and_is_as_it_was_where_it_could_be(text: str) -> None:
    written = whole(text)
    assert is_whole(written)
    assert (written == text) is is_whole(text)


def test_half_a_character_is_written_as_its_escape() -> None:
    assert whole("a\ud83db") == r"a\ud83db"
    assert whole("caf\udce9") == r"caf\xe9"
    assert whole("a\U0001f680b") == "a\U0001f680b"


@given(VALUES)
def test_every_value_can_be_written_with_numbers_of_64_bits(value: Any) -> None:
    written = json.loads(msgspec.json.encode(plain(value)))
    assert all(SMALLEST <= each <= LARGEST for each in integers(written))


def integers(value: Any) -> list[int]:
    if isinstance(value, dict | list):
        return [found for each in (value.values() if isinstance(value, dict) else value) for found in integers(each)]
    return [value] if isinstance(value, int) else []


@given(st.integers())
def test_a_number_is_clamped_to_64_bits(number: int) -> None:
    assert clamped(number) == number or clamped(number) in {SMALLEST, LARGEST}


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_a_problem_can_always_be_told(message: str, file: str, remedy: str, detail: str) -> None:
    problem = Problem(message, file, 1, remedy, detail)
    assert msgspec.json.decode(msgspec.json.encode(problem), type=Problem) == problem


def test_a_long_text_is_shown_by_its_beginning() -> None:
    assert shortened("a" * LONGEST_SHOWN) == "a" * LONGEST_SHOWN
    assert shortened("a" * 10_000) == "a" * LONGEST_SHOWN + "…"
