"""Text files as templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import Kind
from kahnd.render.jinja.environment import ProjectEnvironment, compiled
from kahnd.render.renderers.parameters import TemplateParameters
from render.workshop import Workshop


def test_text_is_kept_as_it_is_around_the_template(shop: Workshop) -> None:
    shop.write("docs/a.txt", "---\nno: front matter\n---\n<{{ 1 + 1 }}>\n\n")
    assert shop.text("docs/a.txt") == "---\nno: front matter\n---\n<2>\n\n"


@pytest.mark.parametrize(
    ("name", "expected"), [("a.txt", "<&>"), ("a.html", "&lt;&amp;&gt;"), ("a.xml.j2", "&lt;&amp;&gt;")]
)
def test_values_are_escaped_by_the_templates_name(shop: Workshop, name: str, expected: str) -> None:
    shop.by(("docs/*", TemplateParameters()))
    shop.write_all({f"docs/{name}": '{{ data("/data/d.json") }}', "data/d.json": '"<&>"'})
    assert shop.text(f"docs/{name}") == expected


def test_it_can_include_import_and_read(shop: Workshop) -> None:
    shop.write_all(
        {
            "docs/a.txt": '{% from "_m.txt" import f with context %}{{ f(data("/data/d.csv")[0].x) }}',
            "docs/_m.txt": '{% macro f(x) %}[{{ x }}{% include "_p.txt" %}]{% endmacro %}',
            "docs/_p.txt": "!",
            "data/d.csv": "x\n1\n",
        }
    )
    assert shop.text("docs/a.txt") == "[1!]"
    assert shop.scan("docs/a.txt") == [("docs/_m.txt", Kind.INCLUDE, 1), ("data/d.csv", Kind.DATA, 1)]


def test_a_scan_finds_constants_in_lists_and_choices_with_their_lines(shop: Workshop) -> None:
    text = """{% extends "_base.txt" %}
{% include ["_a.txt", "_b.txt"] %}
{% include "_c.txt" if x else "_d.txt" %}
{{ pages("posts/*.md") }} {{ output("fig.dot") }}
{{ page("/docs/x.md") }} {{ data("../data/d.csv") }} {{ data(variable) }}
{% raw %}{% include "_raw.txt" %}{% endraw %}{# {{ data("comment.csv") }} #}
{{ data("../../outside.csv") }} {{ data("/elsewhere/d.csv") }}
"""
    shop.write("docs/a.txt", text)
    assert shop.scan("docs/a.txt") == [
        ("docs/_base.txt", Kind.INCLUDE, 1),
        ("docs/_a.txt", Kind.INCLUDE, 2),
        ("docs/_b.txt", Kind.INCLUDE, 2),
        ("docs/_c.txt", Kind.INCLUDE, 3),
        ("docs/_d.txt", Kind.INCLUDE, 3),
        ("/docs/posts/*.md", Kind.COLLECTION, 4),
        ("docs/fig.dot", Kind.OUTPUT, 4),
        ("docs/x.md", Kind.PAGE, 5),
        ("data/d.csv", Kind.DATA, 5),
    ]


@pytest.mark.parametrize(
    "content", [b"\xff{{ data('x.csv') }}", b"{% if %}", b"{{ data('x.csv') ", b"{{" + b"(" * 5000]
)
def test_a_scan_of_what_is_broken_finds_nothing_and_never_raises(shop: Workshop, content: bytes) -> None:
    shop.write("docs/a.txt", content)
    assert shop.scan("docs/a.txt") == []
    assert shop.problem("docs/a.txt").file == "docs/a.txt"


def test_deep_nesting_is_a_failure_with_a_message(shop: Workshop) -> None:
    shop.write("docs/a.txt", "{% if 1 %}" * 200 + "{% endif %}" * 200)
    assert shop.problem("docs/a.txt").message


@given(
    st.text(st.characters(exclude_categories=["Cs"])).filter(
        lambda text: not any(each in text for each in ("{{", "{%", "{#"))
    )
)
def test_a_text_without_templates_in_it_is_included_as_jinja_would(text: str) -> None:
    environment = ProjectEnvironment()
    expected = environment.from_string(text).render()
    template = compiled(environment, text, "docs/x.txt").template(environment, {})
    assert template.render() == expected
    assert environment.from_string("{% include other %}").render(other=template) == expected
