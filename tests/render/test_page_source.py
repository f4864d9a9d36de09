"""Of a page's text nothing is lost to Jinja: what is a comment, where lines end, and where an include's lines stand."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment, Template

from kahnd.core.model import Kind
from kahnd.render.frontmatter import Parts
from kahnd.render.jinja.environment import ProjectEnvironment, compiled_page
from kahnd.render.markdown.page_source import as_template, has_jinja
from kahnd.render.renderers.parameters import PageParameters
from render.workshop import Workshop

PARTIALS = {
    "one.md": "One\n",
    "open.md": "Open",
    "two.md": "A\nB\n",
    "code.md": "Do:\n\n```sh\n  x\n```\nDone\n",
    "empty.md": "",
}


class _Pages(DictLoader):
    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002
    ) -> Template:
        source = self.mapping[name]
        assert isinstance(source, str)
        return compiled_page(Parts(source), name).template(environment, environment.globals)


ENVIRONMENT = ProjectEnvironment(_Pages(PARTIALS))


def _rendered(text: str) -> str:
    return compiled_page(Parts(text), "a.md").template(ENVIRONMENT, ENVIRONMENT.globals).render()


@pytest.mark.parametrize(
    "text",
    [
        "# Title {#id}\n\nText\n\n## Other {#other}\n",
        "# Title {#id .class}\n\n#} and {#more}\n",
        "${#files[@]} and ${#x} #}\n",
        "$\\frac{#1}{#2}$ #}\n",
        "\\newcommand{\\x}[1]{# 1 #}\n",
        "\\{# text #}\n",
        "`{# text #}` and ``a ` {# text #}``\n",
        "```\n{# text #}\n```\n",
        "~~~ jinja\n{# text #}\n```\n{# text #}\n~~~\n",
        "- ```\n  {# text #}\n  ```\n",
        "> ```\n> {# text #}\n> ```\n",
        "an open {# one\n",
        "{# one\n```\n${#a} #}\n```\n",
        "{#\n\n{#}\n",
        "{#} {#}\n",
        "{#a\nb#}\n",
        "#} %} }}\n",
        "a \\\nb  \n\n\n",
    ],
)
def test_text_stays_as_it_is(text: str) -> None:
    assert _rendered(text) == text
    assert _rendered(text + "{{ 1 }}") == text + "1"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("{# a note to myself #}\nText\n", "Text\n"),
        ("{#note#}Text\n", "Text\n"),
        ("{#- note -#}\n\nText\n", "Text\n"),
        ("{#\nlong\n\nand ``` code\n#}\nText {# note #}\nmore\n", "Text \nmore\n"),
        ("# Title {#id}\n\n{# note #}\n${#x} {# note #}\n", "# Title {#id}\n\n${#x} \n"),
        ("`a` {# note #} `b`\n", "`a`  `b`\n"),
        ("```\nx\n```\n{# note #}\nText\n", "```\nx\n```\nText\n"),
        ("> ```\n> x\n\n{# note #}\nText\n", "> ```\n> x\n\nText\n"),
        ("{##}Text\n", "Text\n"),
    ],
)
def test_a_comment_goes(text: str, rendered: str) -> None:
    assert _rendered(text) == rendered


def test_within_tags_and_raw_text_nothing_is_a_comment() -> None:
    assert _rendered('{{ "{# x #}" }} {% raw %}{# y #}{% endraw %}') == "{# x #} {# y #}"


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("a {% if 1 %}b{% endif %}\nc\n", "a b\nc\n"),
        ("- {% if 1 %}b{% endif %}\n- c\n", "- b\n- c\n"),
        ("> {% if 1 %}\n> b\n> {% endif %}\n", "> \n> b\n> \n"),
        ("1. a\n\n   {% if 1 %}b{% endif %}\n", "1. a\n\n   b\n"),
        ("{% for n in [1, 2] %}\n| {{ n }} |\n{% endfor %}\n\nc\n", "| 1 |\n| 2 |\n\nc\n"),
        ("  {% set n = 1 %}{# x #}\nc\n", "c\n"),
        ("a {% if 1 -%}\n b{% endif %}\nc\n", "a b\nc\n"),
        ("a {% raw %}{{ b }}{% endraw %}\nc\n", "a {{ b }}\nc\n"),
        ("```\n  {% raw %}{{ b }}{% endraw %}\nc\n```\n", "```\n  {{ b }}\nc\n```\n"),
        ("  {% raw %}\n  {{ b }}\n  {% endraw %}\nc\n", "\n  {{ b }}\nc\n"),
        ("{% raw %}\n  {{ b }}\n  {% endraw %} d\nc\n", "\n  {{ b }}\n   d\nc\n"),
        ("{% raw %}\n  {{ b }}{% endraw %}\nc\n", "\n  {{ b }}\nc\n"),
        ("a {% raw %}{{ b }}{% endraw -%}\n c\n", "a {{ b }}c\n"),
        ("{% raw %}a{% endraw %} {% if 1 %}b{% endif %}\nc\n", "a b\nc\n"),
    ],
)
def test_a_tag_takes_its_lines_end_only_where_it_is_alone(text: str, rendered: str) -> None:
    assert _rendered(text) == rendered


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ('1. a\n\n   {% include "one.md" %}\n\n2. b\n', "1. a\n\n   One\n\n2. b\n"),
        ('   {% include "code.md" %}\nz\n', "   Do:\n\n   ```sh\n     x\n   ```\n   Done\nz\n"),
        ('> {% include "code.md" %}\nz\n', "> Do:\n>\n> ```sh\n>   x\n> ```\n> Done\nz\n"),
        ('- {% include "two.md" %}\n- z\n', "- A\n  B\n- z\n"),
        ('10. {% include "two.md" %}\n', "10. A\n    B\n"),
        ('> - {% include "two.md" %}\n', "> - A\n>   B\n"),
        ('- [ ] {% include "two.md" %}\n- [x] z\n', "- [ ] A\n  B\n- [x] z\n"),
        ('[^1]: {% include "two.md" %}\n', "[^1]: A\n    B\n"),
        ('[^note]: - {% include "two.md" %}\n', "[^note]: - A\n      B\n"),
        ('\t{% include "two.md" %}\n', "\tA\n\tB\n"),
        ('  {% include "two.md" %}  \nz\n', "  A\n  B\nz\n"),
        ('  {% if 1 %}{% include "two.md" %}{% endif %}\nz\n', "  A\n  B\nz\n"),
        ('  {% for n in ["one.md", "open.md"] %}\n  {% include n %}\n  {% endfor %}\nz\n', "  One\n  Open\nz\n"),
        ('{% macro m() %}\n  {% include "two.md" %}\n{% endmacro %}\n{{ m() }}z\n', "  A\n  B\nz\n"),
        ('```\n  {% include "two.md" %}\n```\n', "```\n  A\n  B\n```\n"),
        ('<div>\n  {% include "two.md" %}\n</div>\n', "<div>\n  A\n  B\n</div>\n"),
        ('  {% include "empty.md" %}\nz\n', "z\n"),
        ('{% include "open.md" %}\nz\n', "Open\nz\n"),
        ('{% include "one.md" %}{% include "open.md" %}\nz\n', "One\nOpen\nz\n"),
        ('{% include "open.md" %}', "Open"),
        ('a {% include "open.md" %} b\nz\n', "a Open b\nz\n"),
        ('a {% include "open.md" %}\nz\n', "a Open\nz\n"),
        ('  {%- include "two.md" %}\nz\n', "A\nB\nz\n"),
        ('x\r\n  {% include "two.md" %}\r\nz\r\n', "x\n  A\n  B\nz\n"),
    ],
)
def test_what_is_included_stands_where_its_tag_does(text: str, rendered: str) -> None:
    assert _rendered(text) == rendered


PIECES = st.sampled_from(
    ["{", "#", "}", "{#", "#}", " ", "\n", "`", "```", "~~~", "> ", "- ", "$", "\\", "a", "{# a #}", "%", "-", '"']
)


@given(st.lists(PIECES, max_size=16).map("".join).filter(lambda text: "{{" not in text and "{%" not in text))
def test_what_is_no_comment_is_text(text: str) -> None:
    """Whatever is left out begins with `{#` and ends with `#}`; what has no Jinja is a text to Jinja, too."""
    rendered = _rendered(text)
    assert (rendered == text) or ("{#" in text and "#}" in text)
    if not has_jinja(text):
        assert rendered == text


@pytest.mark.parametrize("part", ["{#", "{{", "{%", "`{# ", "``` {# ", "> ```\n", "\\{#a#}", "{#}", '"{{', "{% raw %}"])
def test_a_page_is_read_in_linear_time(part: str) -> None:
    started = time.process_time()
    as_template(part * 60_000)
    assert time.process_time() - started < 20


# in a project


def test_a_page_keeps_its_text_and_a_templates_comments_stay_jinjas(shop: Workshop) -> None:
    shop.by(("docs/**/*.md", PageParameters(template="templates/page.html")))
    shop.write_all(
        {
            "docs/a.md": '# A {#own}\n\n{# note #}\n\n{% include "_p.md" %}\n',
            "docs/_p.md": "## Part {#part}\n",
            "templates/page.html": "{#x {#y #}{{ content }}",
        }
    )
    assert shop.text("docs/a.md") == '<h1 id="own">A</h1>\n<h2 id="part">Part</h2>\n'
    assert shop.scan("docs/a.md") == [("templates/page.html", Kind.TEMPLATE, 0), ("docs/_p.md", Kind.INCLUDE, 5)]


def test_a_scan_sees_the_same_comments(shop: Workshop) -> None:
    shop.write(
        "docs/a.md", '# A {#own}\n{% include "_p.md" %}\n{# {% include "_no.md" %} #}\n#}\n{% include "_q.md" %}\n'
    )
    assert shop.scan("docs/a.md") == [("docs/_p.md", Kind.INCLUDE, 2), ("docs/_q.md", Kind.INCLUDE, 5)]


def test_a_list_goes_on_after_an_include(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/a.md": '1. one\n\n   {% include "_n.md" %}\n\n2. two\n',
            "docs/_n.md": "---\nx: 1\n---\nMind:\n\n```\ncode\n```\n",
        }
    )
    html = shop.text("docs/a.md")
    assert html.count("<ol>") == 1
    assert "start=" not in html
    assert "<pre><code>code\n" in html


@pytest.mark.parametrize(
    "text", ["---\nx: 1\n---\n# A {#a}\n{# n\n #}\n{{ nothing }}", "  {# n #}\na {#b}\n\n\n\n{{ nothing }}"]
)
def test_an_errors_line_is_the_files(shop: Workshop, text: str) -> None:
    shop.write("docs/a.md", text)
    assert shop.problem("docs/a.md").line == text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "hinted"),
    [
        ("---\na: 1\n---\n```\n{{ nothing }}\n```\n", True),
        ("`{% nothing %}`\n", True),
        ("```\n{{ not closed\n```\n", True),
        ("{{ nothing }}\n\n```\nx\n```\n", False),
    ],
)
def test_an_error_in_code_tells_how_to_write_text(shop: Workshop, text: str, hinted: bool) -> None:  # noqa: FBT001
    shop.write("docs/a.md", text)
    remedy = shop.problem("docs/a.md").remedy
    assert "{% raw %}" in remedy
    assert ("braces in code" in remedy) is hinted


# what includes itself

TREE = (
    "<ul>{% for n in nodes %}<li>{{ n.t }}{% if n.kids %}{% with nodes = n.kids %}"
    "{% include '_tree.html' %}{% endwith %}{% endif %}</li>{% endfor %}</ul>"
)


def test_a_tree_includes_itself_and_needs_nothing_for_it(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/a.md": "---\nm: [{t: a, kids: [{t: b, kids: []}]}]\n---\n"
            "{% with nodes = page.m %}{% include '_tree.html' %}{% endwith %}\n",
            "docs/_tree.html": TREE,
            "docs/_tree.md": TREE.replace(".html", ".md"),
        }
    )
    assert "<ul><li>a<ul><li>b</li></ul></li></ul>" in shop.text("docs/a.md")
    assert shop.scan("docs/_tree.md") == []


def test_a_page_that_includes_itself_on_a_condition_is_rendered(shop: Workshop) -> None:
    shop.write("docs/a.md", "{% if n is not defined %}{% with n = 1 %}{% include 'a.md' %}{% endwith %}{% endif %}x\n")
    assert "<p>x\nx</p>" in shop.text("docs/a.md")
    assert shop.reads("docs/a.md") == []
    assert shop.scan("docs/a.md") == []


@pytest.mark.parametrize("file", ["docs/a.md", "docs/_b.md"])
@pytest.mark.parametrize("code", ["{{ a" + ".b" * 20_000 + " }}", "{{" * 20_000, "{{ " + "1+" * 20_000 + "1 }}"])
def test_code_that_is_too_deep_for_the_compiler_names_its_file(shop: Workshop, file: str, code: str) -> None:
    shop.write_all({"docs/a.md": "{% include '_b.md' %}", "docs/_b.md": "x"})
    shop.write(file, code)
    problem = shop.problem("docs/a.md")
    assert "nested too deeply" in problem.message
    assert problem.file == file


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\n{% if 1 %}{% include '_b.md' %}{% endif %}", "{% if 1 %}{% include '_a.md' %}{% endif %}"),
        ("\n{% extends '_b.md' %}", "{% extends '_a.md' %}"),
        ("\n{% import '_b.md' as b %}", "{% import '_a.md' as a %}"),
    ],
)
def test_what_has_no_end_fails_with_file_line_and_remedy(shop: Workshop, one: str, other: str) -> None:
    shop.write_all({"docs/a.md": "{% include '_a.md' %}", "docs/_a.md": one, "docs/_b.md": other})
    problem = shop.problem("docs/a.md")
    assert problem.message == "goes round without end: templates include one another 100 levels deep"
    assert (problem.file, problem.line) in {("docs/_a.md", 2), ("docs/_b.md", 1)}
    assert "condition" in problem.remedy
