from __future__ import annotations

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core import hashing
from kahnd.core.model import Digest, Facet

texts = st.text(max_size=4)
sequences = st.lists(texts, max_size=4)
dependencies = st.lists(st.tuples(texts, texts, texts), max_size=4)


@given(content=st.binary())
def test_bytes_are_hashed_by_xxh3_128(content: bytes) -> None:
    assert hashing.hash_bytes(content) == xxhash.xxh3_128(content).hexdigest()
    assert len(hashing.hash_bytes(content)) == 32


@given(one=sequences, other=sequences)
def test_the_boundaries_between_texts_count(one: list[str], other: list[str]) -> None:
    assert (hashing.hash_fields(one) == hashing.hash_fields(other)) == (one == other)


def test_texts_that_look_like_boundaries_are_texts() -> None:
    assert hashing.hash_fields(["a", "b"]) != hashing.hash_fields(["a1\0b"])
    assert hashing.hash_fields([""]) != hashing.hash_fields([])


def test_a_name_that_is_not_utf_8_can_be_hashed() -> None:
    assert hashing.hash_fields(["\udcff"]) != hashing.hash_fields(["?"])


@given(listed=dependencies, data=st.data())
def test_the_order_of_dependencies_does_not_count(listed: list[tuple[str, str, str]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(listed))
    recipe, content = Digest("r"), Digest("c")
    assert hashing.hash_inputs(hashing.trace_inputs(recipe, content, listed)) == hashing.hash_inputs(
        hashing.trace_inputs(recipe, content, shuffled)
    )
    assert hashing.hash_plain(content, listed) == hashing.hash_plain(content, shuffled)


@given(one=dependencies, other=dependencies)
def test_every_dependency_counts(one: list[tuple[str, str, str]], other: list[tuple[str, str, str]]) -> None:
    same = sorted(one) == sorted(other)
    assert (
        hashing.hash_inputs(hashing.trace_inputs(Digest("r"), Digest("c"), one))
        == hashing.hash_inputs(hashing.trace_inputs(Digest("r"), Digest("c"), other))
    ) == same


def test_recipe_and_content_count() -> None:
    hashes = {
        hashing.hash_inputs(hashing.trace_inputs(Digest(recipe), Digest(content), ()))
        for recipe in "ab"
        for content in "ab"
    }
    assert len(hashes) == 4


def test_the_effective_hash_of_a_plain_document_without_dependencies_is_its_content_hash() -> None:
    assert hashing.hash_plain(Digest("c"), ()) == "c"


def test_hashes_of_different_kinds_differ() -> None:
    one = {hashing.hash_recipe("a"), hashing.hash_members(["a"]), hashing.hash_fields(["a"]), hashing.hash_bytes(b"a")}
    assert len(one) == 4


def test_the_order_of_members_does_not_count() -> None:
    assert hashing.hash_members(["a", "b"]) == hashing.hash_members(["b", "a"])
    assert hashing.hash_members(["a", "b"]) != hashing.hash_members(["a"])


@given(st.lists(st.text(st.characters()), max_size=4), st.lists(st.text(st.characters()), max_size=4))
def test_different_fields_have_different_hashes_even_with_lone_surrogates(one: list[str], other: list[str]) -> None:
    assert (hashing.hash_fields(one) == hashing.hash_fields(other)) == (one == other)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("11", "22", ("11", "22", ())),
        ("11 site/a.html", "22 site/a.html", ("11", "22", ())),
        ("11 site/a.html", "11 site/b.html", ("site/a.html", "site/b.html", ())),
        ("title=11 ", "title=22 ", ("11", "22", (Facet.TITLE,))),
        ("text=11,title=1 ", "text=22,title=2 ", ("11", "22", (Facet.TEXT, Facet.TITLE))),
        ("text=11,title=1 ", "text=11,title=2 ", ("1", "2", (Facet.TITLE,))),
        ("title=1 site/a.html", "title=1 site/b,c=d.html", ("site/a.html", "site/b,c=d.html", (Facet.URL,))),
        (hashing.ABSENT, "title=1 site/a.html", (None, "1", ())),
        ("title=1 ", None, ("1", None, ())),
        ("11", hashing.UNREADABLE, ("11", None, ())),
        ("output=11 ", hashing.UNRENDERED, ("11", None, ())),
        (None, "11 ", (None, "11", ())),
    ],
)
def test_edge_hashes_differ_by_hash_or_by_place(
    before: str | None, after: str | None, told: tuple[str | None, str | None, tuple[Facet, ...]]
) -> None:
    assert hashing.compare_edge_hashes(before, after) == told
