"""What the daemon looks for in a text has bounds: beyond them the document fails, with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import DocumentId, Scan
from kahnd.core.rules import Layout, Rule
from kahnd.render import registry
from kahnd.render.parameters import PageParameters
from kahnd.render.scan import DocumentScanner

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
        "{{ a" + ".b" * 40_000 + " }}",
        "{{ 1" + "+1" * 40_000 + " }}",
        "{{ 1" + "|e" * 40_000 + " }}",
        "{% if 1 %}" * 20_000,
    ],
)
def test_an_expression_nested_too_deeply_is_told_with_its_line(text: str) -> None:
    problem = scan(f"one\ntwo\n{text}").problem
    assert problem is not None
    assert (problem.file, problem.line) == (PAGE, 3)
    assert "nested too deeply" in problem.message


@pytest.mark.parametrize(
    ("lines", "message", "line"),
    [
        ('{{% include "x{}.md" %}}', "refers to more than 10,000 files", 10_001),
        (
            '{{% if 0 %}}{{{{ pages("/docs/x{}*.md") }}}}{{% endif %}}',
            "refers to more than 200 patterns of pages()",
            201,
        ),
        ('{{{{ [page("x{}.md").title, 1, 2, 3, 4, 5, 6, 7, 8] }}}}', "words and signs of template code", 0),
    ],
)
def test_too_many_references_are_told_with_the_line_of_the_first_beyond(lines: str, message: str, line: int) -> None:
    limit = 10_500 if line != 201 else 250
    problem = scan("".join(f"{lines.format(number)}\n" for number in range(limit))).problem
    assert problem is not None
    assert message in problem.message
    assert problem.line == line or (not line and problem.line > 1)


def test_many_references_to_the_same_file_are_one() -> None:
    assert len(scan('{% include "x.md" %}\n' * 20_000).dependencies) == 1


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
    assert len(scan('{% include "x.md" %}\n' + "{ some } text\n" * 300_000).dependencies) == 1
    assert time.perf_counter() - began < 20
