"""Names that differ only by the form of their accents or by case."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, Facts, Snapshot, Status
from kahnd.core.rules import Layout
from kahnd.core.text import find_similar, look_alike_key, similar_name_remedy

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
def test_a_similar_name_is_named_with_the_difference(wanted: str, there: str, told: str) -> None:
    assert find_similar(wanted, ["docs/other.md", there]) == there
    assert told in similar_name_remedy(wanted, there)


def test_a_name_of_the_same_case_is_preferred() -> None:
    assert find_similar(COMPOSED, [COMPOSED.lower(), DECOMPOSED]) == DECOMPOSED


def test_a_name_is_not_similar_to_itself() -> None:
    assert find_similar("a.md", ["a.md", "b.md"]) is None


@given(name=st.text(max_size=8), composed=st.booleans())
def test_every_form_and_case_has_one_key(name: str, *, composed: bool) -> None:
    """Except letters whose upper case is that of another letter."""
    assert look_alike_key(unicodedata.normalize("NFC" if composed else "NFD", name)) == look_alike_key(name)
    assert look_alike_key(name.casefold()) == look_alike_key(name)


def test_a_graph_finds_existing_documents_with_similar_names() -> None:
    graph = Graph(Layout(("docs",), "site"), Snapshot((Facts(DocumentId("docs/About.md")),)))
    assert graph.similar_to("docs/about.md") == "docs/About.md"
    graph.put(Facts(DocumentId(DECOMPOSED)))
    assert graph.similar_to(COMPOSED) == DECOMPOSED
    graph.put(Facts(DocumentId("docs/About.md"), Status.MISSING))
    assert graph.similar_to("docs/about.md") is None
    graph.drop(DocumentId(DECOMPOSED))
    assert graph.similar_to(COMPOSED) is None
