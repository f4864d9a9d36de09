"""The example project renders, document by document, to what its readers are told."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from posixpath import dirname, join, normpath

import msgspec
import pytest

from kahnd.core.model import DocumentId, Failed, Kind, Rendered
from kahnd.core.rules import Rule, is_collection
from kahnd.render.renderers import registry
from kahnd.render.scan.scanner import DocumentScanner
from render.workshop import Workshop

HANDBOOK = Path(__file__).parents[2] / "examples" / "handbook"
COLLECTION = "docs/posts/*.md"
FIRST = (".ics", ".dot", ".bars", ".css")


@pytest.fixture
def handbook(tmp_path: Path) -> Workshop:
    root = tmp_path / "handbook"
    shutil.copytree(HANDBOOK, root, ignore=shutil.ignore_patterns("site", ".kahnd"))
    config = tomllib.loads((root / "kahnd.toml").read_text())
    return Workshop(
        root, tuple(_rule(*each) for each in enumerate(config["rules"])), tuple(config["project"]["sources"])
    )


def _rule(index: int, table: dict[str, str]) -> Rule:
    match, renderer, output = (table.pop(key) for key in ("match", "renderer", "output"))
    kind = registry.parameters_type(renderer)
    assert kind
    parameters = msgspec.convert(table, kind)
    assert registry.check(parameters) == []
    return Rule(index, match, renderer, output, parameters)


def _documents(handbook: Workshop) -> list[DocumentId]:
    """Those that are rendered, what others show first."""
    rendered = [each for each in handbook.files("docs/**") if handbook.layout.rule_of(each)]
    return sorted(rendered, key=lambda each: not each.endswith(FIRST))


def _build(handbook: Workshop) -> None:
    for document in _documents(handbook):
        handbook.publish(document, COLLECTION)


def test_every_document_renders(handbook: Workshop) -> None:
    _build(handbook)
    assert len(_documents(handbook)) >= 20


def test_every_link_leads_somewhere(handbook: Workshop) -> None:
    _build(handbook)
    for page in handbook.files("site/**/*.html"):
        for link in re.findall(r'(?:href|src)="([^"#]+)"', (handbook.root / page).read_text()):
            assert (handbook.root / normpath(join(dirname(page), link))).is_file(), f"{page}: {link}"


def test_nothing_a_page_needs_finished_is_found_only_by_rendering(handbook: Workshop) -> None:
    """So that a first build knows its order. What a partial or a layout needs is found in that."""
    _build(handbook)
    for document in _documents(handbook):
        read = {each.dependency for each in handbook.outcome(document, COLLECTION).reads}
        needed = {each.target for each in read if not each.kind.is_content and each.kind is not Kind.DATA}
        assert needed - {"docs/figures/no-graphviz.svg"} <= _scanned(handbook, document)


def _scanned(handbook: Workshop, document: DocumentId) -> set[str]:
    """Returns the dependencies that scanning finds, through plain documents too."""
    scanner = DocumentScanner(handbook.layout, handbook.renderers)
    found: set[str] = set()
    pending = [document]
    while pending:
        for each in scanner.scan(pending[0], (handbook.root / pending.pop(0)).read_bytes()).dependencies:
            plain = handbook.layout.rule_of(each.target) is None and not is_collection(each.target)
            read = plain and each.kind is not Kind.LINK and each.target not in found
            pending += [each.target] if read else []
            found.add(each.target)
    return found


def test_without_graphviz_the_figure_says_so(handbook: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(handbook.root))
    outcome = handbook.outcome("docs/figures/order.dot")
    assert isinstance(outcome, Rendered)
    (warning,) = outcome.warnings
    assert "'dot' is not installed" in str(warning)
    assert "not installed" in handbook.text("docs/figures/order.dot")


def test_an_installed_graphviz_draws_the_figure(handbook: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name stands in where there is none: what counts is that it is called as the rule says."""
    dot = handbook.write("bin/dot", '#!/bin/sh\nprintf "%s " "$1" > "$4"; cat "$2" >> "$4"\n')
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", f"{dot.parent}:/usr/bin:/bin")
    assert handbook.text("docs/figures/order.dot").startswith("-Tsvg digraph order")


def test_a_broken_sheet_fails_what_reads_it_with_its_line(handbook: Workshop) -> None:
    handbook.write("data/orders.csv", "month,tables\n2026-05,1,2\n")
    for document in ("docs/reports/half-year.md", "docs/charts/orders.bars"):
        outcome = handbook.outcome(document)
        assert isinstance(outcome, Failed)
        assert (outcome.problem.file, outcome.problem.line) == ("data/orders.csv", 2)
