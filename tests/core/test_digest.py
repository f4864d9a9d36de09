from __future__ import annotations

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core import digest
from kahnd.core.model import Digest

texts = st.text(max_size=4)
sequences = st.lists(texts, max_size=4)
dependencies = st.lists(st.tuples(texts, texts, texts), max_size=4)


@given(content=st.binary())
def test_bytes_are_hashed_by_xxh3_128(content: bytes) -> None:
    assert digest.of_bytes(content) == xxhash.xxh3_128(content).hexdigest()
    assert len(digest.of_bytes(content)) == 32


@given(one=sequences, other=sequences)
def test_the_boundaries_between_texts_count(one: list[str], other: list[str]) -> None:
    assert (digest.of_fields(one) == digest.of_fields(other)) == (one == other)


def test_texts_that_look_like_boundaries_are_texts() -> None:
    assert digest.of_fields(["a", "b"]) != digest.of_fields(["a1\0b"])
    assert digest.of_fields([""]) != digest.of_fields([])


def test_a_name_that_is_no_utf_8_can_be_hashed() -> None:
    assert digest.of_fields(["\udcff"]) != digest.of_fields(["?"])


@given(listed=dependencies, data=st.data())
def test_the_order_of_dependencies_does_not_count(listed: list[tuple[str, str, str]], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(listed))
    recipe, content = Digest("r"), Digest("c")
    assert digest.of_inputs(digest.inputs(recipe, content, listed)) == digest.of_inputs(
        digest.inputs(recipe, content, shuffled)
    )
    assert digest.of_plain(content, listed) == digest.of_plain(content, shuffled)


@given(one=dependencies, other=dependencies)
def test_every_dependency_counts(one: list[tuple[str, str, str]], other: list[tuple[str, str, str]]) -> None:
    same = sorted(one) == sorted(other)
    assert (
        digest.of_inputs(digest.inputs(Digest("r"), Digest("c"), one))
        == digest.of_inputs(digest.inputs(Digest("r"), Digest("c"), other))
    ) == same


def test_recipe_and_content_count() -> None:
    hashes = {
        digest.of_inputs(digest.inputs(Digest(recipe), Digest(content), ())) for recipe in "ab" for content in "ab"
    }
    assert len(hashes) == 4


def test_a_plain_document_alone_is_its_content() -> None:
    assert digest.of_plain(Digest("c"), ()) == "c"


def test_the_kinds_of_hashes_do_not_meet() -> None:
    one = {digest.of_recipe("a"), digest.of_members(["a"]), digest.of_fields(["a"]), digest.of_bytes(b"a")}
    assert len(one) == 4


def test_a_collection_is_its_members_in_any_order() -> None:
    assert digest.of_members(["a", "b"]) == digest.of_members(["b", "a"])
    assert digest.of_members(["a", "b"]) != digest.of_members(["a"])


@given(st.lists(st.text(st.characters()), max_size=4), st.lists(st.text(st.characters()), max_size=4))
def test_fields_are_told_apart_half_characters_too(one: list[str], other: list[str]) -> None:
    assert (digest.of_fields(one) == digest.of_fields(other)) == (one == other)
