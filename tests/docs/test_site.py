"""The documentation's site: kahnd builds it, it has all pages, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.links import Site
from docs.reading import REPOSITORY
from docs.session import copied
from e2e.harness import Project

DOCS = REPOSITORY / "docs"
pytestmark = pytest.mark.slow  # they build all of the documentation


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("docs") / "docs"
    copied(DOCS, root)
    project = Project(root)
    answer = project.build()
    assert (answer["failed"], answer["blocked"], answer["warnings"]) == ([], [], [])
    return project


@pytest.fixture(scope="module")
def site(project: Project) -> Site:
    return Site(project.path("site"))


def test_every_link_and_anchor_is_there(site: Site) -> None:
    assert list(site.faults()) == []


def test_every_page_is_in_the_contents_and_on_the_front_page(site: Site) -> None:
    assert {each.name for each in site.pages} >= {"architecture.html", "performance.html"}
    front = (site.root / "index.html").read_text()
    for page in site.pages:
        place = page.relative_to(site.root.resolve()).as_posix()
        if place != "index.html":
            assert front.count(f'href="{place}"') >= 2, place


def test_the_pages_are_a_chain_from_the_front_page_on(site: Site) -> None:
    """Each page's "next" is there, and by these all are reached."""
    reached, page = [], site.root.resolve() / "index.html"
    while page not in reached:
        reached.append(page)
        if found := re.search(r'rel="next" href="([^"]+)"', page.read_text()):
            page = (page.parent / found[1]).resolve()
    assert sorted(reached) == site.pages


def test_a_page_asks_nothing_of_another_machine(site: Site) -> None:
    for page in site.pages:
        text = page.read_text()
        assert all(each.endswith("script.js") for each in re.findall(r'<script src="([^"]*)"', text))
        assert not re.search(r'(?:src|srcset)="(?:https?:)?//', text)
    assert "url(" not in (site.root / "style.css").read_text()
    assert "@import" not in (site.root / "style.css").read_text()


def test_every_class_that_code_is_coloured_by_is_plain_or_has_a_colour(site: Site) -> None:
    style = (site.root / "style.css").read_text()
    spans = {name for page in site.pages for name in re.findall(r'<span class="(\w+)">', page.read_text())}
    coloured = {name for rule in re.findall(r"\.highlight ([^{]+)\{", style) for name in re.findall(r"\.(\w+)", rule)}
    assert spans - {"p", "pi", "n", "o", "x", "py", "g"} - {"number", "hidden", "draft"} <= coloured


@pytest.mark.parametrize("path", sorted(REPOSITORY.glob("*.md")), ids=lambda path: path.name)
def test_every_file_that_a_text_beside_the_site_links_to_is_there(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", path.read_text())
    assert [link for link in links if "://" not in link and not (REPOSITORY / link).exists()] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="none.html">', "none.html is not there"),
        ('<a href="#none">', "#none has no #none"),
        ('<a href="other.html#none">', "other.html#none has no #none"),
        ('<a href="/other.html">', "is absolute"),
        ('<img src="https://elsewhere.example/a.png">', "is asked of another machine"),
        ('<p id="a"><p id="a">', "two elements have the id a"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "page.html").write_text(text)
    (tmp_path / "other.html").write_text('<p id="here"><a href="page.html">x</a><a href="https://a.example">y</a>')
    (found,) = Site(tmp_path).faults()
    assert fault in found


def test_a_link_to_a_page_that_is_not_there_fails_the_build(project: Project) -> None:
    whole = project.read("how-it-works.md")
    project.append("how-it-works.md", "\n[nowhere](how-to/nothing.md)\n")
    answer = project.build(code=1)
    assert [each["document"] for each in answer["failed"]] == ["how-it-works.md"]
    assert "how-to/nothing.md" in answer["failed"][0]["error"]
    project.write("how-it-works.md", whole)
    assert project.build()["failed"] == []
