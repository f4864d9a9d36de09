"""Texts that are split without Jinja's parser give the same result as with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Template, TemplateNotFound

from kahnd.render.fast.inclusions import Composition, Inclusion, parts_of, parts_of_page
from kahnd.render.jinja.environment import ProjectEnvironment
from kahnd.render.markdown.page_source import as_template

NAME = "page.html"
ENVIRONMENT = ProjectEnvironment(DictLoader({"a": "[a]\n", "b/é": "{% include 'a' %}"}))
PIECES = (
    "x",
    "<&é\\'\"",
    "{",
    "}",
    "%}",
    "#}",
    " ",
    "\t",
    "\v\N{NO-BREAK SPACE}",
    "\n",
    "\r\n",
    "\r",
    '{% include "a" %}',
    "{%include'b/é'%}",
    '{% include "a" %}\n',
    '{%\tinclude\t"missing"\t%}',
    '{% include "a%}b" %}',
    "{##}",
    "{#\n\n#}",
    "{#\r\n#}\n",
)
OTHERS = (
    "{{ 1 }}",
    "{# x #}",
    '{%- include "a" %}',
    '{% include "a" -%}',
    '{% include "a" ignore missing %}',
    '{% include "a" without context %}',
    "{% include ['a'] %}",
    '{% include "a" if 1 %}',
    '{% include "a\\x62" %}',
    "{% raw %}{% endraw %}",
    '{%\ninclude "a" %}',
)
PLAIN = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
ANY = st.lists(st.sampled_from(PIECES + OTHERS), max_size=8).map("".join)


def _by_jinja(source: str) -> Template:
    return Template.from_code(ENVIRONMENT, ENVIRONMENT.compile(source, NAME, NAME), ENVIRONMENT.make_globals(None))


def _ours(source: str) -> Template | None:
    parts = parts_of(source)
    return None if parts is None else Composition(NAME, parts).template(ENVIRONMENT, ENVIRONMENT.globals)


def _outcome(template: Template) -> tuple[str, object]:
    """Returns the output, or the missing file and the line that asks for it."""
    try:
        return template.render(), None
    except TemplateNotFound as error:
        trace = error.__traceback__
        lines = []
        while trace:
            if trace.tb_frame.f_code.co_filename == NAME:
                lines.append(trace.tb_lineno)
            trace = trace.tb_next
        return str(error), lines


@given(st.one_of(PLAIN, ANY))
def test_what_is_taken_apart_renders_as_by_jinja(source: str) -> None:
    ours = _ours(source)
    assert ours is None or _outcome(ours) == _outcome(_by_jinja(source))


@given(st.lists(st.sampled_from([each for each in PIECES if each != "{"])).map("".join))
def test_texts_and_plain_inclusions_are_taken_apart(source: str) -> None:
    assert parts_of(source) is not None


@pytest.mark.parametrize("other", OTHERS)
def test_anything_else_is_left_to_jinja(other: str) -> None:
    assert parts_of(f'{{% include "a" %}} {other}') is None


def test_tags_alone_on_their_lines_leave_none() -> None:
    source = 'x\n  {% include "a" %}\ny {% include "b" %} z\n'
    assert parts_of(source) == ["x\n", Inclusion("a", 2), "y ", Inclusion("b", 3), " z\n"]


def test_a_page_has_its_lines_also_after_front_matter() -> None:
    assert parts_of('{#\n\n\n#}\n{% include "a" %}') == [Inclusion("a", 5)]


INCLUDES = (
    '{% include "/a.md" %}',
    "{% include 'b c.md' %}",
    "\n",
    "\r\n",
    "> ",
    "- ",
    "    ",
    "```",
    "text",
    "{{ a }}",
)


@given(st.lists(st.sampled_from(INCLUDES)).map("".join), st.sampled_from([0, 3]))
def test_includes_alone_on_their_lines_are_the_parts_that_the_pages_template_has(body: str, lines: int) -> None:
    found = parts_of_page(body, lines)
    assert found is None or found == parts_of(as_template(body, lines), of_page=True)
