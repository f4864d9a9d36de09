"""Markdown's features, heading ids and coloured code."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.render.markdown.convert import Markdown, Outline

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
        ("# हिन्दी\n# ที่นี่\n", ["हिन्दी", "ที่นี่"]),
        ("# Cafe\u0301\n# Cafe\n", ["cafe\u0301", "cafe"]),
        ("# Café\n# Cafe\u0301\n", ["café", "cafe\u0301-1"]),
        ("# Ⅷ ½ a² Ⓐ _\n", ["ⅷ--a-ⓐ-_"]),
        ("# 🎉 Party\n", ["-party"]),
        ("# ![Logo](x.png)\n", ["logo"]),
        ("<h2 class='x'>Raw <b>one</b></h2>\n", ["raw-one"]),
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
        ('# A <b title=">">x</b> `a<b` <!-- no -->', "A x a<b"),
        ("# ![Logo](x.png) Name", "Logo Name"),
    ],
)
def test_the_first_heading_is_plain_text(text: str, title: str | None) -> None:
    assert Outline.of(text).title == title


@pytest.mark.parametrize(
    "raw",
    [
        '<script>\nx = "<h2>T</h2>";\n</script>',
        "<STYLE>\n/* <h2>T</h2> */\n</style>",
        "<textarea>\n<h3 id=t>T</h3>\n</textarea>",
        "<template>\n<h3>T</h3>\n</template>",
        "<pre>\n<h3>T</h3>\n</pre>",
        '<!-- <h2 id="t">T</h2> -->',
        "<!-- > <h2>T</h2> -->",
        "<![CDATA[\n<h2>T</h2>\n]]>",
        '<?php echo "<h2>T</h2>" ?>',
        '<p title="<h2>T</h2>">x</p>',
        "<p title='> <h2>T</h2>'>x</p>",
        '<p data-id="t" title="id=t">x</p>',
        "<h2>never closed",
        "<svg><title><h2>T</h2></title></svg>",
    ],
)
def test_what_is_no_heading_element_stays_as_written_and_takes_no_id(raw: str) -> None:
    html = MARKDOWN.convert(f"{raw}\n\n# T\n")
    assert raw in html.content
    assert [(each.level, each.id) for each in html.headings] == [(1, "t")]
    assert Outline.of(f"{raw}\n\n# T\n").title == "T"


@pytest.mark.parametrize(
    "element", ['<a id="t">', "<a id='t'>", "<a ID=t>", '<a\nid = "t">', "<pre>\n<a id=t>\n</pre>"]
)
def test_an_elements_id_is_taken_however_it_is_written(element: str) -> None:
    assert [each.id for each in MARKDOWN.convert(f"{element}\n\n# T\n").headings] == ["t-1"]


@pytest.mark.parametrize("heading", ['<h2 id="own">T</h2>', "<h2 id='own'>T</h2>", "<H2 CLASS=x ID=own>T</H2>"])
def test_a_headings_own_id_stays(heading: str) -> None:
    html = MARKDOWN.convert(heading)
    assert heading in html.content
    assert [each.id for each in html.headings] == ["own"]


@pytest.mark.parametrize(
    "part", ["<h1 ", "<h1>", "</h1>", "<!--", "<pre>", "<template>", "<script>", "<a b='", "<?", "<![CDATA[", "<h1 a="]
)
def test_headings_are_found_in_linear_time(part: str) -> None:
    """Each of these takes minutes where every beginning is followed to the end of the text."""
    text = part * 60_000
    started = time.process_time()
    assert Outline.of(text).structure is not None
    MARKDOWN.convert(text)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("info", "coloured"),
    [
        ("~~~ {.python .numberLines}", True),
        ("```{.python}", True),
        ("```{python}", True),
        ("```{python, echo=FALSE}", True),
        ('```python title="x"', True),
        ("```python,ignore", True),
        ("```python{1,3}", True),
        ("```python:main.py", True),
        ("```Python", True),
        ("```{.nosuchlanguage}", False),
        ("```{}", False),
        ("```{#lst}", False),
    ],
)
def test_a_fences_language_is_found_however_it_is_written(info: str, coloured: bool) -> None:  # noqa: FBT001
    html = _html(f"{info}\nimport os\n{info[:3]}\n")
    assert ('<span class="k' in html) is coloured


@pytest.mark.parametrize(
    "info",
    [
        *("python", "{.python}", "{ .python }", "{.numberLines .python}", "{#listing .python startFrom=10}"),
        *('{.python caption="a .c b"}', "{python, echo=FALSE}", "{python setup}", "python {.x}", "python,ignore"),
    ],
)
@pytest.mark.parametrize(("before", "indent"), [("", ""), ("> ", "> "), ("- ", "  ")])
def test_the_language_is_found_among_attributes(info: str, before: str, indent: str) -> None:
    content = Markdown().convert(f"{before}```{info}\n{indent}x = {{1, 2}}\n{indent}```\n").content
    assert '<span class="n">x</span> <span class="o">=</span> <span class="p">{</span>' in content
    assert "\ufdd1" not in content


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("```{.mermaid #fig}\na < b\n```", '<pre><code class="language-mermaid">a &lt; b\n</code></pre>\n'),
        ("```{#fig}\n{a b}\n```", "<pre><code>{a b}\n</code></pre>\n"),
        ("    ``` {a  b}\n", "<pre><code>``` {a  b}\n</code></pre>\n"),
        ("``` {a b} ``` {c d}", "<p><code>{a b}</code> {c d}</p>\n"),
        ("```\n~~~ {a b\tc}\n```", "<pre><code>~~~ {a b\tc}\n</code></pre>\n"),
    ],
)
def test_a_line_with_braces_after_a_fence_keeps_its_text(text: str, html: str) -> None:
    assert Markdown().convert(text).content == html


@pytest.mark.parametrize("attributes", ["=" * 100_000, "a" * 100_000, 'a="' * 50_000, " =" * 50_000])
def test_attributes_after_a_fence_take_no_more_time_than_their_length(attributes: str) -> None:
    started = time.process_time()
    Markdown().convert(f"```{{{attributes}}}\nx\n```\n")
    assert time.process_time() - started < 2


def test_a_carriage_return_alone_ends_a_line() -> None:
    assert "<li>a</li>\n<li>b</li>" in _html("- a\r- b\r\n- c\r\n")
    assert Outline.of("text\r\r# One\rtwo\r").title == "One"
