"""The limits of scanning: beyond them the document fails, or only its rendering finds the dependencies."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import DocumentId, Scan
from kahnd.core.rules import Layout, Rule
from kahnd.render.renderers import registry
from kahnd.render.renderers.parameters import PageParameters
from kahnd.render.scan.scanner import DocumentScanner

LAYOUT = Layout(("docs",), "site", (Rule(0, "docs/**/*.md", "page", "{stem}.html", PageParameters()),))
PAGE = DocumentId("docs/a.md")
SCANNER = DocumentScanner(LAYOUT, registry.create(Path(), LAYOUT))


def scan(text: str, document: DocumentId = PAGE) -> Scan:
    return SCANNER.scan(document, text.encode())


DEEP = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "-" * DEEP + "1 }}",
        "{{ " + "(" * DEEP + "1 }}",
        "{{ " + "[" * DEEP + "1 }}",
        "{{ " + "not " * DEEP + "1 }}",
        "{{ a" + ".b" * 4_500 + " }}",
        "{{ 1" + "+1" * 4_500 + " }}",
        "{{ 1" + "|e" * 4_500 + " }}",
        "{% if 1 %}" * 2_000,
    ],
)
def test_an_expression_nested_too_deeply_is_told_with_its_line(text: str) -> None:
    problem = scan(f"one\ntwo\n{text}").problem
    assert problem is not None
    assert (problem.file, problem.line) == (PAGE, 3)
    assert "nested too deeply" in problem.message


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (
            f"---\ndepends_on: [{','.join(f'x{number}' for number in range(10_001))}]\n---\n",
            "refers to more than 10,000 files",
            2,
        ),
        (
            "".join(f'{{% if 0 %}}{{{{ pages("/docs/x{number}*.md") }}}}{{% endif %}}\n' for number in range(250)),
            "refers to more than 200 patterns of pages()",
            201,
        ),
    ],
)
def test_too_many_references_are_told_with_the_line_of_the_first_beyond(text: str, message: str, line: int) -> None:
    problem = scan(text).problem
    assert problem is not None
    assert message in problem.message
    assert problem.line == line


def test_many_references_to_the_same_file_are_one() -> None:
    assert len(scan('{% include "x.md" %}\n' * 9_000).dependencies) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{{ [page("x.md").title, 1, 2, 3, 4, 5, 6, 7, 8] }}\n' * 5_000,
        '{% include "x.md" %}\n' * 10_001,
        '{% include "x.md" %}\n' + "a `{# b #}`\n" * 80_000,
        '{% include "x.md" %}\n{# b #}\n' + "```\n" * 200_000,
        '{% include "x.md" %}\n' + "a" * (1 << 20),
    ],
)
def test_very_much_template_code_is_left_for_the_rendering_to_look_through(text: str) -> None:
    found = scan(text)
    assert (found.dependencies, found.problem) == ((), None)
    assert found.facets is not None


def test_a_long_texts_title_counts_as_another_with_each_change() -> None:
    heading = "# Title\n" + "a" * (1 << 18)
    titles = [scan(text).facets for text in (heading, f"{heading}b", "# Title\na", "# Title\nb")]
    found = [each.title for each in titles if each]
    assert found[0] != found[1]
    assert found[2] == found[3]


@pytest.mark.parametrize(
    "text",
    [
        "# " + "<" * 3_000_000,
        "# " + "*a" * 1_500_000,
        "---\n" + "\n" * 3_000_000 + "---\n",
        "---\n" + "a: b\n" * 600_000,
        '{% include "x.md" %}\n' + "{# a #}\n" * 400_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    scan(text)
    assert time.process_time() - began < 1


def test_a_file_that_no_rule_renders_has_no_bounds_to_fail_by() -> None:
    assert scan("{{ " + "(" * DEEP, DocumentId("docs/a.txt")) == Scan()


@pytest.mark.parametrize(
    "reference",
    [r"\ud83d\ude80.md", r"a\0b.md", "x" * 5_000, "../" * 2_000 + "a", "/docs/{1..100000}.md", r"\ud800*.md"],
)
@pytest.mark.parametrize("call", ['{{% include "{}" %}}', '{{{{ page("{}") }}}}', '{{{{ pages("{}") }}}}'])
def test_what_can_be_no_path_is_left_for_the_rendering_to_tell(call: str, reference: str) -> None:
    targets = [each.target for each in scan(call.format(reference)).dependencies]
    for target in targets:
        target.encode()
        assert "\0" not in target
        assert len(target) <= 4097


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text("{}%#\"'()[]|.-ai \n\\/*", max_size=60))
def test_no_text_breaks_a_scan(text: str) -> None:
    for found in scan(text).dependencies:
        found.target.encode()


def test_a_large_text_with_little_templating_is_scanned_fast() -> None:
    began = time.perf_counter()
    assert len(scan('{% include "x.md" %}\n' + "{ some } text\n" * 70_000).dependencies) == 1
    assert time.perf_counter() - began < 20
