"""Every text and number can be made safe for the database, the log and the socket."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.problem import Problem
from kahnd.core.text import (
    LARGEST,
    LONGEST_SHOWN,
    SMALLEST,
    clamped,
    escape_surrogates,
    is_encodable,
    json_safe,
    shortened,
)

ANY_TEXT = st.text(st.characters())
"""Half characters too."""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
    max_leaves=20,
)


@given(ANY_TEXT)
def test_every_text_can_be_encoded_and_encodable_ones_are_unchanged(text: str) -> None:
    written = escape_surrogates(text)
    assert is_encodable(written)
    assert (written == text) is is_encodable(text)


def test_a_lone_surrogate_is_escaped() -> None:
    assert escape_surrogates("a\ud83db") == r"a\ud83db"
    assert escape_surrogates("caf\udce9") == r"caf\xe9"
    assert escape_surrogates("a\U0001f680b") == "a\U0001f680b"


@given(VALUES)
def test_every_value_can_be_encoded_with_64_bit_numbers(value: Any) -> None:
    written = json.loads(msgspec.json.encode(json_safe(value)))
    assert all(SMALLEST <= each <= LARGEST for each in integers(written))


def integers(value: Any) -> list[int]:
    if isinstance(value, dict | list):
        return [found for each in (value.values() if isinstance(value, dict) else value) for found in integers(each)]
    return [value] if isinstance(value, int) else []


@given(st.integers())
def test_a_number_is_clamped_to_64_bits(number: int) -> None:
    assert clamped(number) == number or clamped(number) in {SMALLEST, LARGEST}


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_a_problem_can_always_be_encoded(message: str, file: str, remedy: str, detail: str) -> None:
    problem = Problem(message, file, 1, remedy, detail)
    assert msgspec.json.decode(msgspec.json.encode(problem), type=Problem) == problem


def test_a_long_text_is_cut() -> None:
    assert shortened("a" * LONGEST_SHOWN) == "a" * LONGEST_SHOWN
    assert shortened("a" * 10_000) == "a" * LONGEST_SHOWN + "…"
