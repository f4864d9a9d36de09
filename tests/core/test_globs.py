"""Patterns mean what wcmatch means, however they are matched, and matching is never slow."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kahnd.core import globs
from kahnd.core.globs import glob_error, glob_matcher

NAMES = ["**", "*", "a", "b", ".a", "a*", "*b", "?", "[ab]", "*.md", "x.md", ".*", "***", "a**", "", "{a,b}", "{**,a}"]
PATTERNS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=5).map("/".join)
PATHS = st.lists(st.sampled_from(["a", "b", ".a", "ab", "x.md", ".md"]), min_size=1, max_size=5).map("/".join)


@settings(max_examples=500)
@given(PATTERNS, PATHS)
def test_matching_folder_by_folder_agrees_with_wcmatch(pattern: str, path: str) -> None:
    by_expression = re.compile(globs._expression(pattern)).fullmatch(path) is not None
    assert globs._by_folders(pattern)(path) == by_expression
    assert glob_matcher(pattern)(path) == by_expression


@pytest.mark.parametrize(
    "pattern", ["**/*/" * 20 + "b.md", "**/a/" * 40 + "b", "{**/*/**/*/**/*/**/*,x}/b.md", "*a" * 100]
)
def test_no_pattern_is_slow_on_a_path_that_it_does_not_match(pattern: str) -> None:
    matches = glob_matcher(pattern)
    began = time.perf_counter()
    assert not matches("a/" * 1_000 + "c.md")
    assert not matches("a" * 250 + "b")
    assert time.perf_counter() - began < 5


def test_many_globstars_still_match() -> None:
    assert glob_matcher("**/a/**/b/**/c/**/d.md")("x/a/b/y/z/c/d.md")
    assert not glob_matcher("**/a/**/b/**/c/**/d.md")("x/a/y/z/c/d.md")
    assert not glob_matcher("**/a/**/b/**/c/**/d.md")("x/a/.b/b/c/d.md")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("docs/{1..100000}.md", "more than 1,000 patterns"),
        ("{1..9}" * 1_000, "longer than 4,096 characters"),
        ("{1..9}" * 10, "more than 1,000 patterns"),
        ("{{1..40},{1..40}}{{1..40},{1..40}}", "more than 1,000 patterns"),
        ("a" * 5_000, "longer than 4,096 characters"),
        pytest.param("a" * 3_000 + "{1..999}", "too much text", marks=pytest.mark.slow),
        ("docs/\ud800*.md", "half a character"),
    ],
)
def test_an_unusable_pattern_has_a_reason_and_matches_nothing(pattern: str, words: str) -> None:
    assert words in str(glob_error(pattern))
    assert not glob_matcher(pattern)(pattern)


@given(st.text(st.characters()) | st.text("{},.*[]!\\/a1", max_size=40), PATHS)
def test_any_text_is_a_pattern_or_has_a_reason_not_to_be_one(pattern: str, path: str) -> None:
    glob_error(pattern)
    glob_matcher(pattern)(path)
