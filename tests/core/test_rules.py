from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import DocumentId
from kahnd.core.rules import Layout, Rule, collection_id, is_below, is_collection, relative_path, resolve

names = st.sampled_from(["a", "b.md", "_c", "..", ".", "d e"])
paths = st.lists(names, min_size=1, max_size=5).map("/".join)


def layout(
    *matches: str, sources: tuple[str, ...] = ("docs",), output: str = "{dir}/{stem}.html", to: str = "site"
) -> Layout:
    rules = tuple(Rule(index, match, "page", output) for index, match in enumerate(matches))
    return Layout(sources, to, rules)


def match_of(rules: Layout, document: str) -> str | None:
    rule = rules.rule_of(DocumentId(document))
    return rule.match if rule else None


def test_the_first_rule_that_fits_applies() -> None:
    rules = layout("docs/special.md", "docs/*.md", "docs/**/*.md")
    assert match_of(rules, "docs/special.md") == "docs/special.md"
    assert match_of(rules, "docs/other.md") == "docs/*.md"
    assert match_of(rules, "docs/deep/other.md") == "docs/**/*.md"
    assert match_of(rules, "docs/other.txt") is None


@pytest.mark.parametrize(
    ("pattern", "document", "fits"),
    [
        ("docs/**/*.md", "docs/a.md", True),
        ("docs/**/*.md", "docs/x/y/a.md", True),
        ("docs/*.md", "docs/x/a.md", False),
        ("docs/**", "docs/x/a.md", True),
        ("**/*.md", "a.md", True),
        ("docs/{a,b}.md", "docs/b.md", True),
        ("docs/{a,b}.md", "docs/c.md", False),
        ("docs/?.md", "docs/ab.md", False),
        ("docs/[ab].md", "docs/b.md", True),
        ("docs/*.md", "docs/A.MD", False),
        ("docs/**/*.md", "docs/.hidden/a.md", False),
        ("docs/*.md", "docs/.a.md", False),
        ("docs/.*.md", "docs/.a.md", True),
        ("docs/*.md", "other/docs/a.md", False),
        ("docs/*.md", "docs/a.md\n", False),
    ],
)
def test_how_patterns_match(pattern: str, document: str, *, fits: bool) -> None:
    assert (match_of(layout(pattern), document) is not None) == fits


@pytest.mark.parametrize(
    ("pattern", "document", "plain"),
    [
        ("docs/**/*.md", "docs/_a.md", True),
        ("docs/**/*.md", "docs/_parts/a.md", True),
        ("docs/**/*.md", "docs/a_b.md", False),
        ("docs/**/_*.md", "docs/_a.md", False),
        ("docs/_parts/*.md", "docs/_parts/a.md", False),
        ("docs/_parts/*.md", "docs/_parts/_a.md", True),
        ("docs/_p*/*.md", "docs/_parts/a.md", False),
        ("_docs/*.md", "_docs/a.md", False),
    ],
)
def test_an_underscore_makes_plain_unless_the_pattern_has_it(pattern: str, document: str, *, plain: bool) -> None:
    assert (match_of(layout(pattern), document) is None) == plain


def test_a_plain_partial_is_scanned_as_the_pages_beside_it() -> None:
    rules = layout("docs/**/*.md")
    rule = rules.scanned_as(DocumentId("docs/_a.md"))
    assert rule is not None
    assert rule.match == "docs/**/*.md"
    assert rules.scanned_as(DocumentId("docs/a.csv")) is None


@pytest.mark.parametrize(
    ("sources", "document", "output"),
    [
        (("docs",), "docs/a.md", "site/a.html"),
        (("docs",), "docs/x/y/a.b.md", "site/x/y/a.b.html"),
        (("docs", "docs/api"), "docs/api/a.md", "site/a.html"),
        ((".",), "a.md", "site/a.html"),
        ((".",), "x/a.md", "site/x/a.html"),
        (("docs/deep",), "docs/deep/a.md", "site/a.html"),
    ],
)
def test_where_a_rendering_goes(sources: tuple[str, ...], document: str, output: str) -> None:
    rules = layout("**/*.md", sources=sources)
    assert rules.output_of(DocumentId(document)) == output


@pytest.mark.parametrize(
    ("pattern", "output"),
    [
        ("{dir}/{name}", "site/x/a.md"),
        ("{stem}-{ext}.txt", "site/a-md.txt"),
        ("{dir}/{stem}/index.html", "site/x/a/index.html"),
        ("/{stem}", "site/a"),
        ("{unknown}/{stem}", "site/{unknown}/a"),
    ],
)
def test_placeholders_of_an_output(pattern: str, output: str) -> None:
    assert layout("**/*.md", output=pattern).output_of(DocumentId("docs/x/a.md")) == output


def test_an_output_may_lie_in_the_project_itself() -> None:
    rules = layout("**/*.md", to=".")
    output = rules.output_of(DocumentId("docs/x/a.md"))
    assert output == "x/a.html"


def test_a_plain_document_has_no_output() -> None:
    assert layout("**/*.md").output_of(DocumentId("docs/a.csv")) is None


@pytest.mark.parametrize(
    ("reference", "origin", "path"),
    [
        ("b.md", "docs/a.md", "docs/b.md"),
        ("b.md", "a.md", "b.md"),
        ("../b.md", "docs/x/a.md", "docs/b.md"),
        ("../b.md", "docs/a.md", "b.md"),
        ("../../b.md", "docs/a.md", None),
        ("..", "docs/a.md", "."),
        ("..", "a.md", None),
        ("/b.md", "docs/x/a.md", "b.md"),
        ("//b.md", "docs/x/a.md", "b.md"),
        ("/../b.md", "docs/a.md", None),
        ("x/../../../b.md", "docs/a.md", None),
        ("..b.md", "docs/a.md", "docs/..b.md"),
        ("./b.md", "docs/a.md", "docs/b.md"),
        ("b\0.md", "docs/a.md", None),
        ("x/../docs.md", "docs/a.md", "docs/docs.md"),
    ],
)
def test_references_resolve(reference: str, origin: str, path: str | None) -> None:
    assert resolve(reference, origin) == path


@given(reference=paths | paths.map("/{}".format), origin=paths.filter(lambda path: ".." not in path))
def test_no_reference_leads_out_of_the_project(reference: str, origin: str) -> None:
    path = resolve(reference, origin)
    assert path is None or not path.startswith(("/", "../"))
    assert path is None or path != ".."


@pytest.mark.parametrize(
    ("path", "folder", "below"),
    [("docs/a", "docs", True), ("docs", "docs", True), ("docs2/a", "docs", False), ("a", ".", True)],
)
def test_paths_below_a_folder(path: str, folder: str, *, below: bool) -> None:
    assert is_below(path, folder) == below


def test_a_collection_is_no_path() -> None:
    assert is_collection(collection_id("docs/*.md"))
    assert not is_collection(DocumentId("docs/a.md"))


@given(path=paths, folder=paths)
def test_relative_paths_are_those_of_the_standard_library(path: str, folder: str) -> None:
    inside = [posixpath.normpath(each).lstrip("./") or "." for each in (path, folder)]
    assert relative_path(*inside) == posixpath.relpath(*inside)
