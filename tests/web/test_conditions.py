"""Conditional requests and ranges."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.web.conditions import Conditions, Part, wanted_part

TAG = '"abc"'
SIZE = 100
WHOLE = Part(HTTPStatus.OK, 0, SIZE)


@pytest.mark.parametrize("given_tags", [TAG, f'"x", {TAG}', f"W/{TAG}", "*", f' "y" , W/{TAG} '])
def test_known_bytes_are_not_sent_again(given_tags: str) -> None:
    conditions = Conditions(if_none_match=given_tags, wanted="bytes=0-1")
    assert wanted_part(conditions, TAG, SIZE).status is HTTPStatus.NOT_MODIFIED


@pytest.mark.parametrize("given_tags", ["", '"abcd"', "abc", "W/", '"'])
def test_other_bytes_are_sent(given_tags: str) -> None:
    assert wanted_part(Conditions(if_none_match=given_tags), TAG, SIZE) == WHOLE


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-9", 0, 10),
        ("bytes=90-", 90, 100),
        ("bytes=-5", 95, 100),
        ("bytes=-500", 0, 100),
        ("bytes=50-500", 50, 100),
        ("Bytes= 3 - 3 ", 3, 4),
        ("bytes=0-99999999999999999999999999", 0, 100),
    ],
)
def test_a_range_is_sent_alone(wanted: str, start: int, end: int) -> None:
    part = Part(HTTPStatus.PARTIAL_CONTENT, start, end)
    assert wanted_part(Conditions(wanted=wanted), TAG, SIZE) == part
    assert wanted_part(Conditions(wanted=wanted, if_range=TAG), TAG, SIZE) == part


@pytest.mark.parametrize("if_range", ['"old"', f"W/{TAG}", "Tue, 01 Dec 2026 12:00:00 GMT"])
def test_a_range_of_other_bytes_gives_the_whole(if_range: str) -> None:
    assert wanted_part(Conditions(wanted="bytes=0-9", if_range=if_range), TAG, SIZE) == WHOLE


@pytest.mark.parametrize("wanted", ["bytes=0-1,5-6", "bytes=5-4", "bytes=-", "bytes=a-b", "items=0-1", "0-1", "bytes"])
def test_several_ranges_and_broken_ones_give_the_whole(wanted: str) -> None:
    assert wanted_part(Conditions(wanted=wanted), TAG, SIZE) == WHOLE


@pytest.mark.parametrize("wanted", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999999-"])
def test_a_range_beyond_the_end_is_refused(wanted: str) -> None:
    assert wanted_part(Conditions(wanted=wanted), TAG, SIZE).status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), st.integers(0, 10))
def test_a_part_lies_within_the_output(wanted: str, size: int) -> None:
    part = wanted_part(Conditions(wanted=wanted), TAG, size)
    assert 0 <= part.start <= part.end <= size
