"""The choice of a scanner for each document."""

from __future__ import annotations

import dataclasses

import pytest

from kahnd.core.model import DocumentId, Kind
from kahnd.render.renderers.parameters import CommandParameters, CopyParameters, PageParameters
from kahnd.render.scan.scanner import DocumentScanner
from render.workshop import Workshop

SCANNED = CommandParameters(command=("x", "{output}"), scan=(r"needs (\S+)",))


@pytest.fixture
def scanner(shop: Workshop) -> DocumentScanner:
    shop.by(
        ("docs/**/*.md", PageParameters(template="templates/page.html")),
        ("docs/**/*.raw", PageParameters(templating=False)),
        ("docs/**/*.css", CopyParameters()),
        ("docs/**/*.sum", SCANNED),
        ("docs/**/*.dot", CommandParameters(command=("dot", "{output}"))),
    )
    return DocumentScanner(shop.layout, shop.renderers)


def _found(scanner: DocumentScanner, document: str, content: str | bytes) -> list[tuple[str, Kind]]:
    found = scanner.scan(DocumentId(document), content if isinstance(content, bytes) else content.encode())
    return [(each.target, each.kind) for each in found.dependencies]


def test_a_page_and_a_partial_beside_it_are_scanned_alike_but_for_the_layout(scanner: DocumentScanner) -> None:
    include = ("docs/_p.md", Kind.INCLUDE)
    assert _found(scanner, "docs/a.md", '{% include "_p.md" %}') == [("templates/page.html", Kind.TEMPLATE), include]
    assert _found(scanner, "docs/_b.md", '{% include "_p.md" %}') == [include]


def test_a_draft_is_scanned_as_a_partial_until_drafts_are_rendered(scanner: DocumentScanner, shop: Workshop) -> None:
    text = '---\ndraft: true\n---\n[x](c.md){% include "_p.md" %}'
    include = ("docs/_p.md", Kind.INCLUDE)
    assert _found(scanner, "docs/a.md", text) == [include]
    shop.layout = dataclasses.replace(shop.layout, drafts=True)
    shop.begin_anew()
    with_drafts = DocumentScanner(shop.layout, shop.renderers)
    assert _found(with_drafts, "docs/a.md", text) == [
        ("templates/page.html", Kind.TEMPLATE),
        include,
        ("docs/c.md", Kind.LINK),
    ]


def test_a_page_without_templating_has_no_includes(scanner: DocumentScanner) -> None:
    assert _found(scanner, "docs/a.raw", '---\ndepends_on: b.md\n---\n{% include "_p.md" %}') == [
        ("docs/b.md", Kind.DECLARED)
    ]


def test_a_page_with_broken_front_matter_still_has_its_layout(scanner: DocumentScanner) -> None:
    assert _found(scanner, "docs/a.md", "---\na: [\n---\n") == [("templates/page.html", Kind.TEMPLATE)]


def test_a_template_no_rule_fits_is_scanned_as_one(scanner: DocumentScanner) -> None:
    assert _found(scanner, "templates/page.html", '{% extends "base.html" %}') == [
        ("templates/base.html", Kind.INCLUDE)
    ]
    assert _found(scanner, "data/d.csv", "a,b") == []
    assert _found(scanner, "data/d.bin", b"\xff{{ data('d.csv') }}") == []


def test_a_command_is_scanned_by_its_rules_expressions(scanner: DocumentScanner) -> None:
    text = "needs b.csv\nneeds a.sum\nneeds b.csv\nneeds ../../x needs /other/x"
    assert _found(scanner, "docs/in/x.sum", text) == [
        ("docs/in/b.csv", Kind.DECLARED),
        ("docs/in/a.sum", Kind.DECLARED),
    ]
    assert _found(scanner, "docs/_part.sum", "needs b.csv") == [("docs/b.csv", Kind.DECLARED)]


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ("docs/a.md", True),
        ("docs/_a.md", True),
        ("docs/a.css", False),
        ("docs/a.sum", True),
        ("docs/a.dot", False),
        ("templates/page.html", True),
        ("data/d.csv", True),
        ("docs/photo.jpg", False),
        ("docs/film.mp4", False),
        ("docs/drawing.svg", True),
        ("docs/no-ending", True),
    ],
)
def test_only_what_can_tell_something_is_read_as_a_whole(scanner: DocumentScanner, document: str, wanted: bool) -> None:  # noqa: FBT001
    assert scanner.wants(DocumentId(document)) is wanted
