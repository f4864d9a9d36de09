"""Front matter, and that lines stay the file's."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from kahnd.core.rules import NEVER
from kahnd.render.files import ProblemError
from kahnd.render.frontmatter import appears_at, split
from kahnd.render.jinja.environment import ProjectEnvironment
from kahnd.render.markdown.page_source import as_template

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.text(), st.sampled_from(["---", "..."]))
def test_what_is_written_above_a_text_is_read_back(meta: dict[str, object], body: str, end: str) -> None:
    text = f"---\n{yaml.safe_dump(meta)}{end}\n{body}"
    parts = split(text, "a.md")
    assert (parts.meta, parts.body) == (meta, body)
    assert text.splitlines(keepends=True)[: parts.lines] == text[: len(text) - len(body)].splitlines(keepends=True)


@given(st.dictionaries(st.text("abc", min_size=1), st.text("xyz\n"), max_size=4), st.integers(0, 5))
def test_a_bodys_lines_are_the_files(meta: dict[str, str], above: int) -> None:
    text = f"---\n{yaml.safe_dump(meta)}---\n{chr(10) * above}{{{{ found }}}}\n"
    parts = split(text, "a.md")
    (name,) = ProjectEnvironment(of_pages=True).parse(as_template(parts.body, parts.lines)).find_all(nodes.Name)
    assert name.lineno == text.count("\n", 0, text.index("{{ found")) + 1


@pytest.mark.parametrize("text", ["", "Text\n", "--\na: 1\n--\n", " ---\na: 1\n---\n", "----\n", "\n---\n---\n"])
def test_a_text_without_is_all_body(text: str) -> None:
    parts = split(text, "a.md")
    assert (parts.meta, parts.body, parts.lines) == ({}, text, 0)


@pytest.mark.parametrize("text", ["---\n---\n", "---\n# title: x\n---\n", "---\r\n\r\n---\r\n", "---\n---"])
def test_an_empty_one_is_no_values(text: str) -> None:
    assert (split(text, "a.md").meta, split(text, "a.md").body) == ({}, "")


def test_a_keys_line_is_the_files() -> None:
    parts = split("---\na: 1\nb:\n  a: 2\ndepends_on: [x]\n'c d': 1\n---\n", "a.md")
    assert [parts.line_of(key) for key in ("a", "b", "depends_on", "c d", "no")] == [2, 3, 5, 6, 0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("---\na: 1\nb: [\n---\n", 4),
        ("---\na: 1\n\tb: 2\n---\n", 3),
        ("---\na: b: c\n---\n", 2),
        ("---\n- a: 1\n---\n", 2),
        ("---\na: !!python/object:os.system {}\n---\n", 2),
        ("---\na: 1\n", 1),
    ],
)
def test_what_is_wrong_is_told_with_the_files_line(text: str, line: int) -> None:
    with pytest.raises(ProblemError) as caught:
        split(text, "a.md")
    assert (caught.value.problem.file, caught.value.problem.line) == ("a.md", line)
    assert "front matter" in caught.value.problem.message


@pytest.mark.parametrize(
    "text",
    [
        "---\n",
        "---",
        "---\nA text that begins with a rule.\n",
        "---\n\nNote: a text that begins with a rule.\n",
        "---\n# One\n\nText.\nNote: text\n\n---\n# Two\n",
        "---\n# One\n---\n# Two\n",
        "---\nA text between two rules.\n---\nAnother.\n",
        "---\n\nNote: between two rules.\n\nMore\n\n---\n",
        "---\n- one\n- two\n---\n",
        "---\n{{ page.title }}\n---\n",
        "---\n{% include 'a.md' %}\n\n---\n",
        "---\n| a: | b |\n---\n",
        "---\nhttps://example.org\n---\n",
        "---\n*Note*: text\n---\n",
    ],
)
def test_a_page_can_begin_with_a_rule(text: str) -> None:
    parts = split(text, "a.md")
    assert (parts.meta, parts.body, parts.lines) == ({}, text, 0)


@pytest.mark.parametrize(
    ("text", "meta"),
    [
        ("---\n\ntitle: A\n---\n", {"title": "A"}),
        ("---\n# about\ntitle: A\n---\n", {"title": "A"}),
        ("---\n{title: A}\n---\n", {"title": "A"}),
        ("---\nreading time: 5\n---\n", {"reading time": 5}),
        ("---\ntitle: 10\u00a0km\n---\n", {"title": "10\u00a0km"}),
        ('---\n"a\u00a0b": 1\n---\n', {"a\u00a0b": 1}),
    ],
)
def test_whatever_is_a_mapping_is_front_matter(text: str, meta: dict[str, object]) -> None:
    assert split(text, "a.md").meta == meta


@pytest.mark.parametrize(
    ("text", "line", "column", "name"),
    [
        ("---\ntitle:\u00a0A\n---\n", 2, 7, "no-break space (U+00A0)"),
        ("---\na: 1\ntitle:\u3000A\n---\n", 3, 7, "ideographic space (U+3000)"),
        ("---\na: 1\n\u00a0\u00a0b: 2\n---\n", 3, 1, "no-break space (U+00A0)"),
        ("---\ntitle\u00a0: A\n---\n", 2, 6, "no-break space (U+00A0)"),
        ("---\na: 1\n\ufefftitle: A\n---\n", 3, 1, "byte order mark (U+FEFF)"),
        ("---\n\u200btitle: A\n---\n", 2, 1, "zero width space (U+200B)"),
        ("---\ntags:\n-\u00a0a\n---\n", 3, 2, "no-break space (U+00A0)"),
        ("---\ntitle: A\n---\u00a0\nText\n", 3, 4, "no-break space (U+00A0)"),
        ("---\u00a0\ntitle: A\n---\nText\n", 1, 4, "no-break space (U+00A0)"),
        ("\ufeff---\ntitle: A\n---\nText\n", 1, 1, "byte order mark (U+FEFF)"),
    ],
)
def test_a_character_that_nobody_sees_is_named_with_its_place(text: str, line: int, column: int, name: str) -> None:
    with pytest.raises(ProblemError) as caught:
        split(text, "a.md")
    problem = caught.value.problem
    assert (problem.line, problem.message) == (line, f"its front matter has a {name} in line {line}, column {column}")


@pytest.mark.parametrize(
    ("yaml_text", "time"),
    [
        ("title: A", None),
        ("draft: true", NEVER),
        ("draft: true\ndate: 2026-01-01", NEVER),
        ("draft: false", None),
        ("draft: no", None),
        ('draft: "true"', None),
        ("date: 1970-01-02", 86_400),
        ("date: 1970-01-02 01:00:00 +0100", 86_400),
        ("date: 1970-01-02T00:00:00.5Z", 86_401),
        ("date: 1969-12-31", -86_400),
        ("date: 9999-12-31", 253_402_214_400),
        ("date: soon", None),
        ("date: [2026-01-01]", None),
    ],
)
def test_front_matter_says_when_a_page_appears(yaml_text: str, time: int | None) -> None:
    assert appears_at(split(f"---\n{yaml_text}\n---\n", "a.md").meta) == time
