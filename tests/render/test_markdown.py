"""Markdown's features, heading ids and coloured code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.render.markdown import Markdown, first_heading

MARKDOWN = Markdown()


def _html(text: str) -> str:
    return MARKDOWN.convert(text).content


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*a* **b** ~~c~~", "<em>a</em> <strong>b</strong> <del>c</del>"),
        ("| a |\n|--:|\n| 1 |\n", '<td style="text-align: right">1</td>'),
        ("- [x] done\n- [ ] open\n", 'type="checkbox" checked=""'),
        ("A[^n]\n\n[^n]: Foot\n", 'href="#n"'),
        ("A[^n]\n\n[^n]: Foot\n", 'id="n"'),
        ("<b>raw</b>", "<b>raw</b>"),
        ("> [!NOTE]\n> Mind.\n", "markdown-alert-note"),
    ],
)
def test_a_feature_is_there(text: str, expected: str) -> None:
    assert expected in _html(text)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("# Head *line*\n", ["head-line"]),
        ("# A & B: `c_d`!\n", ["a--b-c_d"]),
        ("# Über uns\n", ["über-uns"]),
        ("# Same\n# Same\n## Same\n", ["same", "same-1", "same-2"]),
        ("# Same-1\n# Same\n# Same\n", ["same-1", "same", "same-2"]),
        ("# One {#given}\n# Given\n", ["given", "given-1"]),
        ("# n\n\nA[^n]\n\n[^n]: Foot\n", ["n-1"]),
        ("# !?\n", ["section"]),
        ("Setext\n---\n", ["setext"]),
        ("```\n# no heading\n```\n", []),
    ],
)
def test_headings_have_ids(text: str, ids: list[str]) -> None:
    html = MARKDOWN.convert(text)
    assert [each.id for each in html.headings] == ids
    assert all(f'id="{each}"' in html.content for each in ids)


@given(st.lists(st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1), max_size=8))
def test_ids_are_unique_and_stable(titles: list[str]) -> None:
    text = "\n\n".join(f"## {title}" for title in titles)
    html = MARKDOWN.convert(text)
    ids = [each.id for each in html.headings]
    assert len(set(ids)) == len(ids)
    assert html == Markdown().convert(text)


def test_code_of_a_known_language_is_coloured_and_other_code_is_not() -> None:
    assert '<span class="k' in _html("```python\nimport os\n```\n")
    assert (
        _html("```nosuchlanguage\na < b\n```\n")
        == '<pre><code class="language-nosuchlanguage">a &lt; b\n</code></pre>\n'
    )
    assert _html("    a < b\n") == "<pre><code>a &lt; b\n</code></pre>\n"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("text\n\n## A *b* &amp; `c`\n# D\n", "A b & c"),
        ("Setext\n===\n", "Setext"),
        ("```\n# no\n```\n", None),
        ("", None),
    ],
)
def test_the_first_heading_is_plain_text(text: str, title: str | None) -> None:
    assert first_heading(text) == title
