"""The expressions of a rule's `scan`: what Python finds, in linear time, and within bounds."""

import re
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kahnd.render.files import ProblemError
from kahnd.render.scan import expressions
from kahnd.render.scan.expressions import expression_error, find

PIECES = [*"ab[](){},3^$|*+?.-é ", r"\w", r"\d", r"\s", r"\W", r"\D", r"\S", r"\Z", "(a)", r"[^\w/]", "{,2}", r"\u00e9"]
PIECES += [r"\.", "[a-c]", "(?:", "(?P<n>a)", "[]a]", "[[]", "[[^]", r"\n", r"[\d_]"]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
    st.text(st.sampled_from("abé1٣_ \n\u00a0{},3.[]^中"), max_size=12),
)
def test_an_expression_finds_what_pythons_own_finds(inner: str, text: str) -> None:
    expression = f"({inner})"
    try:
        matches = list(re.compile(expression, re.MULTILINE).finditer(text))
    except (re.error, OverflowError):
        return
    assume(expression_error(expression) is None)
    assume(all(match[0] for match in matches))  # Python tries again where it matched nothing; no path is empty
    wanted: dict[str, int] = {}
    for match in matches:
        wanted.setdefault(match[1], text.count("\n", 0, match.start(1)) + 1)
    assert {path: line for line, path in find([expression], text, "a.tex")} == wanted


def test_nested_quantifiers_take_no_time() -> None:
    began = time.perf_counter()
    assert find([r"\\input\{((\w|/)+)*\}"], r"\input{" + "a" * 100_000 + "!", "a.tex") == ()
    assert time.perf_counter() - began < 5


def test_many_matches_of_the_same_path_are_one() -> None:
    assert find(["^use (.+)$"], "\nuse a\nuse b\n" * 20_000, "a.txt") == ((2, "a"), (3, "b"))


def test_too_many_paths_are_told_with_the_line_of_the_first_beyond() -> None:
    with pytest.raises(ProblemError) as caught:
        find(["^use (.+)$"], "".join(f"use {number}\n" for number in range(20_000)), "a.txt")
    assert caught.value.problem.file == "a.txt"
    assert caught.value.problem.line == expressions.MAX_PATHS + 1


def test_a_search_that_goes_over_the_text_again_and_again_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "TIME_LIMIT_S", 0.05)
    with pytest.raises(ProblemError, match=r"takes longer than 0\.05 s"):
        find(["(a)(?:.*b)?"], "a" * 1_000_000, "a.txt")


def test_a_text_too_large_for_the_expression_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "MAX_WORK", 1_000)
    with pytest.raises(ProblemError, match="too large for its rule's scan"):
        find([r"(\w+)"], "a" * 1_000, "a.txt")


def test_half_a_character_in_a_text_is_no_error() -> None:
    assert find(["use (.+)"], "use a\ud83d", "a.txt") == ((1, "a?"),)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("(?<!a)(b)", "look-around"),
        (r"(a)\1", "back-references"),
        ("(?P<x>a)(?P=x)", "back-references"),
        ("a", "no group"),
        ("(", "missing )"),
        ("(\ud800)", "half a character"),
        ("(" * 5_000 + ")" * 5_000, "longer than 2,000 characters"),
        ("(a{1000}){1000}", "no regular expression"),
    ],
)
def test_what_can_not_be_used_is_told(expression: str, words: str) -> None:
    assert words in str(expression_error(expression))
