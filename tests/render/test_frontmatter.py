"""Front matter, and that lines stay the file's."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import nodes

from kahnd.render.environment import ProjectEnvironment
from kahnd.render.files import ProblemError
from kahnd.render.frontmatter import body_in_place, split

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
    (name,) = ProjectEnvironment().parse(body_in_place(split(text, "a.md"))).find_all(nodes.Name)
    assert name.lineno == text.count("\n", 0, text.index("{{ found")) + 1


@pytest.mark.parametrize("text", ["", "Text\n", "--\na: 1\n--\n", " ---\na: 1\n---\n", "----\n", "\n---\n---\n"])
def test_a_text_without_is_all_body(text: str) -> None:
    parts = split(text, "a.md")
    assert (parts.meta, parts.body, parts.lines) == ({}, text, 0)


@pytest.mark.parametrize("text", ["---\n---\n", "---\n# comment\n---\n", "---\r\n\r\n---\r\n", "---\n---"])
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
        ("---\n- a\n---\n", 2),
        ("---\na: !!python/object:os.system {}\n---\n", 2),
        ("---\na: 1\n", 1),
    ],
)
def test_what_is_wrong_is_told_with_the_files_line(text: str, line: int) -> None:
    with pytest.raises(ProblemError) as caught:
        split(text, "a.md")
    assert (caught.value.problem.file, caught.value.problem.line) == ("a.md", line)
    assert "front matter" in caught.value.problem.message
