"""Each extension of Markdown: what becomes of it, what stays text, and where an error in it is."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import Kind, Rendered
from kahnd.render.jinja.theme import literal
from kahnd.render.markdown import MarkdownOptions
from kahnd.render.markdown.convert import Extras, Markdown, Outline, ids_in, text_of
from kahnd.render.markdown.extensions import MASK, protected
from kahnd.render.markdown.wiki_links import linkable, linked
from kahnd.render.renderers.parameters import CopyParameters, PageParameters, Parameters
from render.workshop import Workshop

MARKDOWN = Markdown()
ALL: dict[str, Any] = dict.fromkeys(MarkdownOptions.__struct_fields__, True)


def _html(text: str, **options: Any) -> str:
    extras = Extras(MarkdownOptions(**options), None, lambda fence: fence, lambda _: None)
    return MARKDOWN.convert_extended(text, extras).content


def _rule(**options: Any) -> tuple[str, Parameters]:
    return "docs/**/*.md", PageParameters(markdown=MarkdownOptions(**options))


def _body(shop: Workshop, text: str, *collections: str, **options: Any) -> str:
    shop.by(_rule(**options))
    shop.write("docs/a.md", text)
    return shop.text("docs/a.md", *collections).split("<body>\n")[1].split("</body>")[0]


# Math


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a_b*c*d$", r"\(a_b*c*d\)"),
        (r"\(a_b < c\)", r"\(a_b &lt; c\)"),
        ("$$x^2$$", r"\[x^2\]"),
        (r"\[ x \\[2pt] y \]", r"\[ x \\[2pt] y \]"),
        ("$$\n\\begin{a} b &= c \\\\\n- d\n\\end{a}\n$$", "\\[\n\\begin{a} b &amp;= c \\\\\n- d\n\\end{a}\n\\]"),
        ("> $$\n> a > b\n> $$", "\\[\na &gt; b\n\\]"),
        ("- $$\n  # x\n  $$", "\\[\n# x\n\\]"),
        (r"$\text{if $x$}$", r"\(\text{if $x$}\)"),
        ("| a |\n|---|\n| $|x|$ |", r"<td><span " + 'class="math inline">' + r"\(|x|\)</span></td>"),
        ("**$x$**", r'<strong><span class="math inline">\(x\)</span></strong>'),
        ("# The $x_1$ case", r'<h1 id="the-x_1-case">The <span class="math inline">\(x_1\)</span> case</h1>'),
    ],
)
def test_a_formula_reaches_the_html_untouched(text: str, expected: str) -> None:
    html = _html(text, math=True)
    assert expected in html
    assert 'class="math ' in html


@pytest.mark.parametrize(
    "text",
    [
        "5 $ and 6 $",
        "$5 and $6",
        "US$5 to US$6",
        r"\$a$",
        "`$x$`",
        "it costs $6: `$a`",
        "it costs $$6: `$$a`",
        "$a\n\nb$",
        "    $x$",
        "```\n$x$\n```",
        "<pre>$x$</pre>",
        "<script>var $a = $x$;</script>",
        '<b title="$x$">b</b>',
        "<!-- $x$ -->",
        "$x $",
        "$ x$",
    ],
)
def test_what_pandoc_takes_for_text_is_no_formula(text: str) -> None:
    html = _html(text, math=True)
    assert "math" not in html
    assert html == MARKDOWN.convert(text).content


def test_templates_leave_formulas_alone(shop: Workshop) -> None:
    shop.write("docs/_part.md", r"Part $\frac{{c}}{d}$ {{ 1 + 1 }}" + "\n")
    text = r"""$\frac{{a}}{b}$ is {{ 2 + 2 }} €, ${{ 3 }}, {# a $x$ note #} \({%\)
{% include "_part.md" %}
"""
    html = _body(shop, text, math=True)
    for each in (r"\(\frac{{a}}{b}\)", "is 4 €, $3,", r"\({%\)", r"\(\frac{{c}}{d}\)</span> 2"):
        assert each in html
    assert "note" not in html


def test_a_formula_may_come_from_data(shop: Workshop) -> None:
    shop.write("data/d.toml", "f = '$a_b$ and $c_d$'\n")
    assert r"\(a_b\)</span> and <span" in _body(shop, '{{ data("/data/d.toml").f }}\n', math=True)


def test_without_the_option_a_formula_is_text(shop: Workshop) -> None:
    assert "<p>$a<em>b</em>c$</p>" in _body(shop, "$a*b*c$\n")


def test_a_math_fence_is_displayed(shop: Workshop) -> None:
    assert '<p><span class="math display">\\[x &lt; y\n\\]</span></p>' in _body(
        shop, "```math\nx < y\n```\n", math=True
    )


def test_formulas_are_rendered_as_mathml_with_equations_numbered_throughout(shop: Workshop) -> None:
    equation = "$$\\begin{align}x\\label{%s}\\end{align}$$\n\n"
    html = _body(shop, equation % "a" + equation % "b" + "See \\(\\eqref{b}\\), $\\frac{1}{2}$.\n", math="mathml")
    assert "<mfrac><mn>1</mn><mn>2</mn></mfrac>" in html
    assert "(1)" in html
    assert html.count("(2)") == 2
    assert 'class="math' not in html


@pytest.mark.parametrize(
    ("formula", "line", "message"),
    [
        (r"$\foo x$", 5, r'Unknown command "\foo"'),
        ("$$\na\n\\frac{b\n$$", 7, "Expected closing token"),
        ("$x" + "{" * 200 + "}" * 200 + "$", 5, "nested more than 100 levels"),
        ("$" + r"\sqrt" * 200 + " x$", 5, "100 commands in a row"),
        ("$" + "x" * 20_001 + "$", 5, "longer than 20,000"),
    ],
)
def test_bad_tex_fails_with_its_line(shop: Workshop, formula: str, line: int, message: str) -> None:
    shop.by(_rule(math="mathml"))
    shop.write("docs/a.md", f"---\ntitle: A\n---\n\n{formula}\n")
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", line)
    assert message in problem.message


# Admonitions

NOTE = '<div class="admonition note">\n<p class="admonition-title">My <em>title</em></p>\n<p>Text</p>\n'
SPELLINGS = [
    "> [!NOTE] My *title*\n> Text\n>\n> - a\n",
    '!!! note "My *title*"\n    Text\n\n    - a\n',
    "/// note | My *title*\nText\n\n- a\n///\n",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_the_three_spellings_give_the_same_html(text: str) -> None:
    assert _html(text, admonitions=True) == NOTE + "<ul>\n<li>a</li>\n</ul>\n</div>\n"


@pytest.mark.parametrize("text", SPELLINGS)
def test_what_follows_an_admonition_is_outside(text: str) -> None:
    assert _html(text + "\nAfter\n", admonitions=True).endswith("</div>\n<p>After</p>\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("> [!TIP]\n> x", '<div class="admonition tip">\n<p class="admonition-title">Tip</p>'),
        ("> [!my-kind]\n> x", '<p class="admonition-title">My kind</p>'),
        ('!!! note ""\n    x', '<div class="admonition note">\n<p>x</p>'),
        ("!!! danger highlight\n    x", '<div class="admonition danger highlight">'),
        ("> [!note]- T\n> x", '<details class="admonition note">\n<summary class="admonition-title">T</summary>'),
        ("> [!note]+ T\n> x", '<details class="admonition note" open>'),
        ("??? note\n    x", '<details class="admonition note">\n<summary class="admonition-title">Note</summary>'),
        ("???+ note\n    x", '<details class="admonition note" open>'),
        ("/// details | T\n    type: warning\n    open: true\nx\n///", '<details class="admonition warning" open>'),
        ("/// admonition | T\n    type: tip\n\nx\n///", '<div class="admonition tip">'),
        ("!!! note\n    x\nafter", "</div>\n<p>after</p>"),
        ("- a\n\n    !!! note\n        x\n\n    b\n", "<p>a</p>\n<div"),
        ("!!! note\n    ```py\n    x = 1\n    ```\n", '<span class="n">x</span>'),
        ("!!! note\n    # Head\n", '<h1 id="head">'),
        ("1. a\n   > [!note]\n   > x\n", '<li>a\n<div class="admonition note">'),
        ("!!! note\n\t!!! tip\n\t\tx\n", '<div class="admonition tip">'),
        ("> [!note]\n> 2. b\n", '<ol start="2">'),
    ],
)
def test_an_admonition(text: str, expected: str) -> None:
    assert expected in _html(text, admonitions=True)


def test_admonitions_nest() -> None:
    text = "//// note\n\n!!! tip\n    > [!warning]\n    > x\n\n///details|T\ny\n///\n////\n\nz"
    html = _html(text, admonitions=True)
    assert html.count("<div") == html.count("</div>") == 3
    assert html.count("<details") == html.count("</details>") == 1
    assert html.endswith("</details>\n</div>\n<p>z</p>\n")


@pytest.mark.parametrize(
    "text",
    [
        "```\n!!! note\n    x\n> [!note]\n/// note\n```",
        "    !!! note\n        x",
        "> a\n> [!NOTE] b",
        "/// unknown\nx\n///",
        "!!!note!!!",
        "> ```\n> [!NOTE]\n> ```",
    ],
)
def test_what_only_looks_like_an_admonition_is_text(text: str) -> None:
    assert _html(text, admonitions=True) == MARKDOWN.convert(text).content


def test_without_the_option_githubs_alerts_stay_as_they_were(shop: Workshop) -> None:
    assert '<blockquote class="markdown-alert-note">' in _body(shop, "> [!NOTE]\n> x\n")


# Attributes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![a](b.png){width=300 .wide #fig}", '<img src="b.png" alt="a" width="300" class="wide" id="fig" />'),
        ("[a](#b){ .button target=_blank }", '<a href="#b" class="button" target="_blank">a</a>'),
        ("`a`{.py}", '<code class="py">a</code>'),
        ("**a**{.x}", '<strong class="x">a</strong>'),
        ("*a*{.x title='\"'}", '<em class="x" title="&quot;">a</em>'),
        ("A\n{: .lead }", '<p class="lead">A</p>'),
        ("# A {: #b .c }", '<h1 id="b" class="c">A</h1>'),
        ('# A {#b x="1 2" y=\'"\'}', '<h1 id="b" x="1 2" y="&quot;">A</h1>'),
        ("[![a](b){.x}](c){.y}", '<a href="c" class="y"><img src="b" alt="a" class="x" /></a>'),
        ("![a](b.png){#h}\n\n# H", '<h1 id="h-1">'),
    ],
)
def test_attributes_belong_to_what_stands_before_them(text: str, expected: str) -> None:
    assert expected in _html(text, attributes=True)


@pytest.mark.parametrize(
    "text",
    ["a {b}", "f(x){.y}", "`{.a}`", "[a](b){c d}", "{.a}", "a {.b} c", "[a](b){onclick}", "```\n![](a){.b}\n```"],
)
def test_other_braces_are_text(text: str) -> None:
    assert _html(text, attributes=True) == MARKDOWN.convert(text).content


def test_templates_leave_attributes_alone(shop: Workshop) -> None:
    html = _body(shop, "# {{ 1 + 1 }} {#two .c}\n\n![a](b){#fig .d}\n", attributes=True)
    assert '<h1 id="two" class="c">2</h1>' in html
    assert 'id="fig" class="d"' in html


# Contents, definition lists, smart quotes


def test_contents_stand_where_toc_does(shop: Workshop) -> None:
    html = _body(shop, "# A & B\n\n[TOC]\n\n## C\n\n### D\n\n## E\n\n[TOC]\n", toc="2-3")
    expected = (
        '<div class="toc">\n<ul>\n<li><a href="#c">C</a>\n<ul>\n<li><a href="#d">D</a></li>\n</ul></li>\n'
        '<li><a href="#e">E</a></li>\n</ul>\n</div>'
    )
    assert html.count(expected) == 1
    assert html.count("[TOC]") == 1


def test_a_layout_has_the_headings_as_a_tree(shop: Workshop) -> None:
    layout = "{% for a in page.toc %}{{ a.title }}[{% for b in a.children %}{{ b.id }} {% endfor %}]{% endfor %}"
    shop.by(("docs/**/*.md", PageParameters(template="templates/t.html", markdown=MarkdownOptions(toc=True))))
    shop.write_all({"docs/a.md": "# A\n## B\n## C\n# D\n### E\n", "templates/t.html": layout})
    assert shop.text("docs/a.md") == "A[b c ]D[e ]"


@pytest.mark.parametrize("options", [{}, {"toc": True}])
def test_a_toc_in_the_front_matter_is_kept(shop: Workshop, options: dict[str, Any]) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="templates/t.html", markdown=MarkdownOptions(**options))))
    shop.write_all({"docs/a.md": "---\ntoc: false\n---\n# A\n", "templates/t.html": "{{ page.toc }}"})
    assert shop.text("docs/a.md") == "False"


def test_definition_lists() -> None:
    assert "<dl>\n<dt>A</dt>\n<dd>b</dd>\n</dl>" in _html("A\n: b\n", definition_lists=True)


def test_smart_quotes_leave_code_and_formulas_alone() -> None:
    html = _html('"A" -- \'b\'... `"c"` $f\'$\n', smart_quotes=True, math=True)
    assert '\u201cA\u201d \u2013 \u2018b\u2019… <code>"c"</code>' in html
    assert r"\(f'\)" in html


# Code fences


def test_lines_are_marked_and_numbered_and_a_title_stands_above(shop: Workshop) -> None:
    html = _body(shop, '```python hl_lines="1 3-9" title="<a>.py" linenums="5"\na\nb\nc\n```\n', code=True)
    assert '<span class="filename">&lt;a&gt;.py</span>' in html
    assert html.count('<span class="hll">') == 2
    assert '<span class="linenos">7</span><span class="n">c</span>' in html


@pytest.mark.parametrize(
    "info",
    [
        'python hl_lines="2"',
        "python {2}",
        "{.python hl_lines='2'}",
        "python {hl_lines=[2]}",
        "python {linenos=false, hl_lines=[2]}",
        "python, hl_lines=2",
    ],
)
def test_other_programs_ways_to_mark_lines(info: str) -> None:
    marked = '<span class="hll"><span class="n">b</span>\n</span>'
    assert marked in _html(f"```{info}\na\nb\n```\n", code=True)


@pytest.mark.parametrize("info", ["{.python .numberLines startFrom=3}", "python {linenos=true,linenostart=3}"])
def test_other_programs_ways_to_number_lines(info: str) -> None:
    assert '<span class="linenos">3</span><span class="n">a</span>' in _html(f"```{info}\na\n```\n", code=True)


@pytest.mark.parametrize("info", ["rust,ignore,editable", "rust", "rust,no_run title"])
def test_flags_after_a_language_leave_it_that_language(info: str) -> None:
    assert _html(f"```{info}\nfn a() {{}}\n```\n", code=True) == MARKDOWN.convert("```rust\nfn a() {}\n```\n").content


def test_a_language_that_is_not_known_keeps_its_class() -> None:
    assert '<code class="language-foo">a' in _html("```foo bar=1\na\n```\n", code=True)


def test_a_range_of_very_many_lines_marks_those_there_are() -> None:
    assert _html('```python hl_lines="1-999999999"\na\n```\n', code=True).count("hll") == 1


SOURCE = """\
import os

class A:
    # ANCHOR: part
    def f(self):
        # --8<-- [start:inner]
        return 1
        # --8<-- [end:inner]
    # ANCHOR_END: part
"""


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ('text file="x.py" anchor="part"', "def f(self):\n    return 1\n"),
        ('text file="/docs/x.py" anchor="inner"', "return 1\n"),
        ('text file="x.py" lines="1"', "import os\n"),
        ('text file="x.py" lines="5-"', "def f(self):\n    return 1\n"),
        ('text file="x.py" lines="1,3"', "import os\nclass A:\n"),
        ('text file="x.py" anchor="part" lines="1"', "def f(self):\n"),
        ('text file="x.py"', "import os\n\nclass A:\n    def f(self):\n        return 1\n"),
    ],
)
def test_code_is_taken_from_a_file(shop: Workshop, info: str, expected: str) -> None:
    shop.by(_rule(code=True))
    shop.write_all({"docs/x.py": SOURCE, "docs/a.md": f"A\n\n```{info}\n```\n"})
    assert f"<code>{expected}</code>" in shop.text("docs/a.md").replace("<span></span>", "")
    assert shop.reads("docs/a.md") == [("docs/x.py", Kind.DATA)]
    assert shop.scan("docs/a.md") == [("docs/x.py", Kind.DATA, 3)]


def test_a_template_function_gives_code(shop: Workshop) -> None:
    shop.write_all({"docs/x.py": SOURCE, "docs/a.md": '```text\n{{ code("x.py", anchor="inner") }}```\n'})
    assert "<code>return 1\n</code>" in shop.text("docs/a.md").replace("<span></span>", "")
    assert shop.scan("docs/a.md") == [("docs/x.py", Kind.DATA, 2)]


def test_a_macro_may_be_called_code(shop: Workshop) -> None:
    shop.write_all(
        {"docs/_m.html": "{% macro code(x) %}<{{ x }}>{% endmacro %}", "docs/_p.md": '{{ code("b") }}\n'}
        | {"docs/a.md": '{% from "_m.html" import code %}\n{{ code("a") }}\n{% include "_p.md" %}\n'}
    )
    assert "&lt;a&gt;" in shop.text("docs/a.md").replace("<a>", "&lt;a&gt;")
    assert shop.scan("docs/a.md") == [("docs/_m.html", Kind.INCLUDE, 1), ("docs/_p.md", Kind.INCLUDE, 3)]


@pytest.mark.parametrize(
    ("attributes", "message", "remedy"),
    [
        ('anchor="prat"', "docs/x.py has no anchor 'prat'", "'part'"),
        ('anchor="other"', "no anchor 'other'", "ANCHOR: other"),
        ('lines="8-12"', "no lines 8-12: it has 9", "range"),
        ('lines="x"', "'x' is no range of lines", "3-9"),
        ('lines="0-1"', "no lines 0-1", "range"),
    ],
)
def test_a_part_that_is_missing_fails_with_the_line_in_the_page(
    shop: Workshop, attributes: str, message: str, remedy: str
) -> None:
    shop.by(_rule(code=True))
    shop.write_all({"docs/x.py": SOURCE, "docs/a.md": f'---\nt: 1\n---\n\n```py file="x.py" {attributes}\n```\n'})
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 5)
    assert message in problem.message
    assert remedy in problem.remedy


def test_a_missing_part_fails_with_the_line_of_the_call(shop: Workshop) -> None:
    shop.write_all({"docs/x.py": SOURCE, "docs/a.md": 'A\n\n{{ code("x.py", anchor="b") }}\n'})
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 3)


def test_a_file_that_is_not_there_is_needed(shop: Workshop) -> None:
    shop.by(_rule(code=True))
    shop.write("docs/a.md", 'A\n\n```py file="x.py"\n```\n')
    unmet = shop.unmet("docs/a.md")
    assert (unmet.needs.target, unmet.problem.line) == ("docs/x.py", 3)


def test_a_fence_in_a_partial_is_relative_to_it(shop: Workshop) -> None:
    shop.by(_rule(code=True))
    shop.write_all(
        {"docs/in/x.py": "y\n", "docs/in/_p.md": '\n```py file="x.py" anchor="a"\n```\n'}
        | {"docs/a.md": '{% include "in/_p.md" %}\n'}
    )
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/in/_p.md", 2)


def test_a_fence_with_a_file_has_no_code_of_its_own(shop: Workshop) -> None:
    shop.by(_rule(code=True))
    shop.write_all({"docs/x.py": "y\n", "docs/a.md": '```py file="x.py"\nz\n```\n'})
    assert "code of its own" in shop.problem("docs/a.md").message


@pytest.mark.parametrize("path", ["../../x.py", "/../x.py", "/etc/passwd"])
def test_no_file_outside_the_project_is_taken(shop: Workshop, path: str) -> None:
    shop.by(_rule(code=True))
    shop.write("docs/a.md", f'```py file="{path}"\n```\n')
    assert shop.problem("docs/a.md").line == 1


def test_a_fence_is_a_place_for_a_script(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(fences={"mermaid": "pre"})))
    shop.write("docs/a.md", "```mermaid\nA --> B & C\n```\n\n```python\nx\n```\n")
    html = shop.text("docs/a.md")
    assert '<pre class="mermaid">A --&gt; B &amp; C\n</pre>' in html
    assert '<span class="n">x</span>' in html


# Wiki links

PAGES = {"docs/b.md": "B", "docs/in/My page.md": "C", "docs/in/b-2.md": "D", "docs/x/index.md": "E", "docs/_d.md": "F"}
EVERY = "docs/**/*.md"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[[b]]", '<a href="b.html">b</a>'),
        ("[[My page]]", '<a href="in/My%20page.html">My page</a>'),
        ("[[my-page|text]]", '<a href="in/My%20page.html">text</a>'),
        ("[[in/b-2]]", '<a href="in/b-2.html">in/b-2</a>'),
        ("[[b#The *part*]]", '<a href="b.html#the-part">'),
        ("[[#Here now|x]]", '<a href="#here-now">x</a>'),
        ("[[x]]", '<a href="x/index.html">x</a>'),
        ("| a |\n|---|\n| [[b\\|c]] |", '<td><a href="b.html">c</a></td>'),
    ],
)
def test_a_wiki_link_leads_to_a_page(shop: Workshop, link: str, expected: str) -> None:
    shop.write_all(PAGES)
    assert expected in _body(shop, link + "\n", EVERY, wiki_links=True)


@pytest.mark.parametrize("text", ["`[[b]]`", "`![[b]]`", "[[]]", "![[]]", "```\n[[b]]\n```", r"\[[b]]"])
def test_other_brackets_are_text(shop: Workshop, text: str) -> None:
    shop.write_all(PAGES)
    assert MARKDOWN.convert(text).content in _body(shop, text, EVERY, wiki_links=True)


def test_links_to_no_page_and_to_several_are_warnings_with_their_line(shop: Workshop) -> None:
    shop.by(_rule(wiki_links=True))
    shop.write_all({"docs/in/c.md": "", "docs/on/c.md": "", "docs/a.md": "---\nt: 1\n---\n[[nowhere]]\n\n[[c]]\n"})
    outcome = shop.outcome("docs/a.md", EVERY)
    assert isinstance(outcome, Rendered)
    assert [(each.message, each.file, each.line) for each in outcome.warnings] == [
        ("there is no page for [[nowhere]]", "docs/a.md", 4),
        ("[[c]] may be docs/in/c.md or docs/on/c.md", "docs/a.md", 6),
    ]


IMAGES = {"docs/pic.png": "", "docs/in/deep/fig 1.svg": "", "docs/in/other.webp": "", "docs/on/other.webp": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![[pic.png]]", '<img src="pic.png" alt="pic" />'),
        ("![[pic.png|300]]", '<img src="pic.png" alt="pic" width="300" />'),
        ("a ![[pic.png|A cat|300x200]] b", '<img src="pic.png" alt="A cat" width="300" height="200" />'),
        ("![[pic.png|A cat]]", '<img src="pic.png" alt="A cat" />'),
        ("![[fig 1.svg]]", '<img src="in/deep/fig%201.svg" alt="fig 1" />'),
        ("![[deep/fig 1.svg]]", '<img src="in/deep/fig%201.svg" alt="fig 1" />'),
        ("![[on/other.webp]]", '<img src="on/other.webp" alt="other" />'),
        ("![[./in/../pic.png]]", '<img src="pic.png" alt="pic" />'),
        (r"\![[b]]", '!<a href="b.html">b</a>'),
    ],
)
def test_an_image_is_shown_by_the_end_of_its_path(shop: Workshop, text: str, expected: str) -> None:
    shop.by(_rule(wiki_links=True), ("docs/**/*.{png,svg,webp}", CopyParameters()))
    shop.write_all({**PAGES, **IMAGES, "docs/a.md": f"{text}\nand *more*\n"})
    names = ("pic.png", "fig 1.svg", "deep/fig 1.svg", "on/other.webp")
    patterns = [*(f"docs/**/{each}" for each in names), "docs/pic.png"]
    assert _warned(shop, "docs/a.md", EVERY, *patterns) == ""
    made = shop.text("docs/a.md", EVERY, *patterns)
    assert expected in made
    assert "<em>more</em>" in made
    assert {each for each in shop.scan("docs/a.md") if each[1] is Kind.COLLECTION} == {
        (each[0], each[1], 0) for each in shop.reads("docs/a.md", EVERY, *patterns) if each[1] is Kind.COLLECTION
    } | {(f"/{EVERY}", Kind.COLLECTION, 0)}


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("![[b]]", "![[b]] can't be taken in like this, and is a link", '{% include "b.md" %};'),
        ("![[b#Part]]", "![[b#Part]] can't be taken in like this", "for a part, put it into a file of its own"),
        ("![[film.mp4]]", "![[film.mp4]] can't be taken in like this, and is a link", "<video>"),
        ("![[none.png]]", "there is no image for ![[none.png]]", "create it"),
        ("![[nothing]]", "there is no page or file for ![[nothing]]", "create it"),
        ("![[other.webp]]", "![[other.webp]] may be docs/in/other.webp or docs/on/other.webp", "write the folder"),
        ("![[../pic.png]]", "there is no image for ![[../pic.png]]", "create it"),
        ("![[*.png]]", "there is no image for ![[*.png]]", "create it"),
    ],
)
def test_what_can_not_be_taken_in_is_told_with_its_line(shop: Workshop, text: str, message: str, remedy: str) -> None:
    shop.by(_rule(wiki_links=True), ("docs/**/*.{png,svg,webp,mp4}", CopyParameters()))
    shop.write_all({**PAGES, **IMAGES, "docs/film.mp4": "", "docs/a.md": f"A\n\n{text}\n"})
    names = ("film.mp4", "none.png", "nothing", "other.webp")
    outcome = shop.outcome("docs/a.md", EVERY, *(f"docs/**/{each}" for each in names))
    assert isinstance(outcome, Rendered)
    told = next(each for each in outcome.warnings if message in each.message)
    assert remedy in told.remedy
    assert (told.file, told.line) == ("docs/a.md", 3)


def test_a_page_that_is_no_template_is_told_what_takes_in_text(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(templating=False, markdown=MarkdownOptions(wiki_links=True))))
    shop.write_all({"docs/a.md": "![[b]]\n", "docs/b.md": "# B\n"})
    outcome = shop.outcome("docs/a.md", EVERY)
    assert isinstance(outcome, Rendered)
    assert "in a rule with `templating = true`" in outcome.warnings[0].remedy


def test_the_name_of_a_page_is_without_the_extension_of_markdown_alone() -> None:
    pages = linkable([*map(_id, ("docs/two.alt", "docs/three.markdown"))])
    assert linked("two", "docs/a.md", pages) == []
    assert linked("two.alt", "docs/a.md", pages) == ["docs/two.alt"]
    assert linked("three", "docs/a.md", pages) == ["docs/three.markdown"]


def test_a_page_with_wiki_links_depends_on_which_pages_there_are(shop: Workshop) -> None:
    shop.by(_rule(wiki_links=True))
    shop.write_all({"docs/a.md": "[[b]]\n", "docs/b.md": "", "docs/c.md": "none\n"})
    assert shop.reads("docs/a.md", EVERY) == [(f"/{EVERY}", Kind.COLLECTION), ("docs/b.md", Kind.LINK)]
    assert shop.scan("docs/a.md") == [(f"/{EVERY}", Kind.COLLECTION, 0)]
    assert not shop.reads("docs/c.md")
    assert not shop.scan("docs/c.md")


def test_a_page_in_the_same_folder_is_meant_first() -> None:
    pages = linkable([*map(_id, ("docs/in/c.md", "docs/on/c.md"))])
    assert linked("c", "docs/on/a.md", pages) == ["docs/on/c.md"]
    assert linked("on/c", "docs/a.md", pages) == ["docs/on/c.md"]
    assert linked("n/c", "docs/a.md", pages) == []


def _id(path: str) -> Any:
    return path


def _warned(shop: Workshop, document: str, *collections: str) -> str:
    outcome = shop.outcome(document, *collections)
    assert isinstance(outcome, Rendered)
    return "; ".join(each.message for each in outcome.warnings)


def test_links_are_checked_against_the_ids_that_extensions_make(shop: Workshop) -> None:
    shop.by(_rule(admonitions=True, attributes=True, wiki_links=True))
    shop.write_all({"docs/b.md": "!!! note\n    # Deep\n\n**x**{#fig}\n", "docs/a.md": "[[b#deep]] [x](b.md#fig)\n"})
    assert not _warned(shop, "docs/a.md", EVERY)
    shop.write("docs/a.md", "[[b#other]]\n")
    assert "has no 'other'" in _warned(shop, "docs/a.md", EVERY)


def test_a_wiki_link_to_a_part_that_is_not_there_is_a_warning_with_its_line(shop: Workshop) -> None:
    shop.by(_rule(wiki_links=True))
    shop.write_all({"docs/in/My page.md": "", "docs/a.md": "A\n\n[[in/my_page#part|x]]\n"})
    outcome = shop.outcome("docs/a.md", EVERY)
    assert isinstance(outcome, Rendered)
    assert [each.line for each in outcome.warnings] == [3]


def test_links_to_a_page_whose_ids_a_hook_makes_are_not_checked(shop: Workshop) -> None:
    shop.by(("docs/b.md", PageParameters(after="tools/hooks.py:f")), ("docs/a.md", PageParameters()))
    shop.write_all({"docs/b.md": "", "docs/a.md": "[x](b.md#made)\n"})
    assert not _warned(shop, "docs/a.md")


# All together


@given(
    st.lists(
        st.sampled_from(
            [*"$\\()[]{}#.!?>-/|`'\"*_ \n\t:=ab1", "!!! note\n    ", "[!NOTE]", "/// tip\n", "$$", "```", "[["]
        )
    ).map("".join)
)
def test_every_text_is_markdown(text: str) -> None:
    """With all extensions on, nothing fails, and no mask is left."""
    assert not MASK.search(_html(text, **ALL))


@given(
    st.lists(
        st.sampled_from([*"#$ \n{}.a`>-*", "# A", "{#b}", "!!! c\n    ", "[![", "](d){#e}", "\n: f\n", "---\n", "[^g]"])
    ).map("".join)
)
def test_the_outline_of_a_text_has_the_ids_of_its_html(text: str) -> None:
    assert Outline.of(text, MarkdownOptions(**ALL)).ids() == ids_in(_html(text, **ALL))


@given(st.lists(st.sampled_from([*"$\\()[]{}%#` \n>ab1", "{{", "{%", "$$", "```"])).map("".join))
def test_protecting_twice_is_protecting_once(text: str) -> None:
    once = protected(text)
    assert protected(once) == once
    assert once.count("\n") == text.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        *(each * 20_000 for each in ("$", "$a", "$a ", "\\(", "\\[a", "[[", "{.a", "`$", "$`", "!!! a\n", "> [!a]\n")),
        *(each * 20_000 for each in ("[a](b){.c} ", "</a>{.c}", "<em>", "/// note\n", "<pre>$x$", "$x$\n", "$\\text{")),
        "".join(f"{' ' * 4 * number}!!! note\n" for number in range(400)),
        "".join(f"{'> ' * number}[!note]\n" for number in range(1, 300)),
        "[TOC]\n\n" * 2000 + "# A\n" * 2000,
    ],
)
def test_time_is_linear_in_the_text(text: str) -> None:
    started = time.process_time()
    _html(text, **ALL)
    assert time.process_time() - started < 5


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=40))
def test_a_literal_text_is_shown_as_it_is(text: str) -> None:
    shown = _html(f"- [{literal(text)}](<x.md>)\n", **ALL)
    assert " ".join(text_of(shown).split()) == " ".join(text.split())
