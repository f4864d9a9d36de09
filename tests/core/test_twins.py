"""Names that differ by their accents' form or by case alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, Facts, Snapshot, Status
from kahnd.core.rules import Layout
from kahnd.core.twins import key, remedy, twin

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "docs/Café.md") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("wanted", "there", "told"),
    [
        (COMPOSED, DECOMPOSED, f"there is {DECOMPOSED}, spelled with other characters"),
        (DECOMPOSED, COMPOSED, f"there is {COMPOSED}, spelled with other characters"),
        ("docs/about.md", "docs/About.md", "there is docs/About.md, which differs by case"),
        ("Docs/about.md", "docs/about.md", "there is docs/about.md, which differs by case"),
        (COMPOSED.upper(), DECOMPOSED, "which differs by case"),
    ],
)
def test_a_twin_is_named_with_what_differs(wanted: str, there: str, told: str) -> None:
    assert twin(wanted, ["docs/other.md", there]) == there
    assert told in remedy(wanted, there)


def test_the_form_of_accents_is_nearer_than_case() -> None:
    assert twin(COMPOSED, [COMPOSED.lower(), DECOMPOSED]) == DECOMPOSED


def test_a_name_is_not_its_own_twin() -> None:
    assert twin("a.md", ["a.md", "b.md"]) is None


@given(name=st.text(max_size=8), composed=st.booleans())
def test_every_form_and_case_has_one_key(name: str, *, composed: bool) -> None:
    """But for letters whose upper case is another letter's, which stand for themselves."""
    assert key(unicodedata.normalize("NFC" if composed else "NFD", name)) == key(name)
    assert key(name.casefold()) == key(name)


def test_a_graph_knows_the_twins_that_are_there() -> None:
    graph = Graph(Layout(("docs",), "site"), Snapshot((Facts(DocumentId("docs/About.md")),)))
    assert graph.twin_of("docs/about.md") == "docs/About.md"
    graph.put(Facts(DocumentId(DECOMPOSED)))
    assert graph.twin_of(COMPOSED) == DECOMPOSED
    graph.put(Facts(DocumentId("docs/About.md"), Status.MISSING))
    assert graph.twin_of("docs/about.md") is None
    graph.drop(DocumentId(DECOMPOSED))
    assert graph.twin_of(COMPOSED) is None
