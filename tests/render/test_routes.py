"""The place that front matter gives a page: what its values mean, and that none leads out of the output folder."""

from __future__ import annotations

import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import DocumentId
from kahnd.core.routes import Route
from kahnd.core.rules import Layout, Rule, public_path
from kahnd.core.text import escape_controls
from kahnd.render.frontmatter import route_in

PATTERN = "{meta.date.year}/{meta.section}/{stem}.html"
A = DocumentId("docs/posts/a.md")


def layout(*patterns: str, renderer: str = "page", clean: bool = False) -> Layout:
    output = patterns[0] if len(patterns) == 1 else patterns
    return Layout(("docs",), "site", (Rule(0, "docs/**/*.md", renderer, output, clean_urls=clean),))


def route(front_matter: str, project: Layout) -> Route | None:
    return route_in(f"---\n{front_matter}\n---\ntext\n".encode(), A, project)


def claims(front_matter: str, *patterns: str, clean: bool = False) -> list[str]:
    project = layout(*patterns, clean=clean)
    found = route(front_matter, project)
    assert found is None or found.problem is None
    return [each.removeprefix("site/") for each in project.claims_by(project.rules[0], A, found)]


@pytest.mark.parametrize(
    ("front_matter", "places"),
    [
        ("title: A", ["posts/a.html"]),
        ("slug: b", ["posts/b.html"]),
        ("slug: b/c", ["posts/b/c.html"]),
        ("slug: 2026", ["posts/2026.html"]),
        ("slug: 2026-01-31", ["posts/2026-01-31.html"]),
        ("slug:", ["posts/a.html"]),
        ('slug: ""', ["posts/a.html"]),
        ("slug: cafe\u0301", ["posts/caf\xe9.html"]),
        ("permalink: /b.html", ["b.html"]),
        ("permalink: b/c.html", ["b/c.html"]),
        ("permalink: /b/", ["b/index.html"]),
        ("permalink: /", ["index.html"]),
        ("permalink: /.well-known/x.html", [".well-known/x.html"]),
        ("aliases: /old/", ["posts/a.html", "old/index.html"]),
        ("aliases: [old, old.html, /, old]", ["posts/a.html", "posts/old/index.html", "posts/old.html", "index.html"]),
        ("slug: b/c\naliases: [old.htm]", ["posts/b/c.html", "posts/b/old.htm"]),
        ("outputs: html", ["posts/a.html"]),
    ],
)
def test_the_places_that_front_matter_gives_a_page(front_matter: str, places: list[str]) -> None:
    assert claims(front_matter, "{dir}/{stem}.html") == places


@pytest.mark.parametrize(
    ("front_matter", "places"),
    [
        ("slug: b", ["posts/b.html", "posts/b-print.html", "b.md.pdf"]),
        ("permalink: /x/y/", ["x/y/index.html", "x/y-print.html", "y.md.pdf"]),
        ("permalink: /x/y.htm", ["x/y.htm", "x/y-print.html", "y.md.pdf"]),
        ("permalink: /", ["index.html", "index-print.html", "index.md.pdf"]),
        ("outputs: [.pdf]", ["a.md.pdf"]),
        ("slug: b\noutputs: [md.pdf, b.html]", ["posts/b.html", "b.md.pdf"]),
    ],
)
def test_the_places_of_several_outputs(front_matter: str, places: list[str]) -> None:
    several = "{dir}/{stem}.html", "{dir}/{stem}-print.html", "{name}.pdf"
    if "b.html" in front_matter:
        assert "names 'b.html'" in problem(front_matter, *several)[1]
    else:
        assert claims(front_matter, *several) == places


def test_aliases_of_pages_with_clean_urls_are_beside_their_folders() -> None:
    assert claims("aliases: old", "{dir}/{stem}/index.html", clean=True)[1] == "posts/old/index.html"


def test_only_a_permalink_of_a_folder_makes_the_url_of_one() -> None:
    project = layout("{dir}/{stem}.html")
    for permalink, url in (("/b/", "site/b/"), ("/b/index.html", "site/b/index.html")):
        found = route(f"permalink: {permalink}", project)
        assert public_path(project.output_of(A, found), project.rules[0], found) == url


def problem(front_matter: str, *patterns: str, renderer: str = "page") -> tuple[int, str]:
    found = route(front_matter, layout(*patterns, renderer=renderer))
    assert found is not None
    assert found.problem is not None
    assert found.problem.file == A
    assert found.problem.remedy
    return found.problem.line, found.problem.message


@pytest.mark.parametrize(
    ("front_matter", "line", "message"),
    [
        ("date: 2026-01-31", 1, "`section` is missing in its front matter"),
        ("section: ''\ndate: 2026-01-31", 2, "`section` is empty"),
        ("section: x\ndate: soon", 3, "`date` is no date"),
        ("section: ../x\ndate: 2026-01-31", 2, "the name .. begins with a dot"),
        ("section: x\ndate: 2026-01-31\nslug: /x", 4, "begins or ends with a slash"),
        ("section: x\ndate: 2026-01-31\nslug: .git/x", 4, "the name .git begins with a dot"),
        ("section: x\ndate: 2026-01-31\nslug: 'a{hash}'", 4, "it has a {"),
        ('section: x\ndate: 2026-01-31\nslug: "a\\u202eb"', 4, "it has a control character"),
        ("section: x\ndate: 2026-01-31\nslug: yes", 4, "is no text, number or date"),
        ("section: x\ndate: 2026-01-31\npermalink: /x", 4, "names neither a folder nor a file"),
        ("section: x\ndate: 2026-01-31\npermalink: /:year/x/", 4, "a placeholder that begins with a colon"),
        ("section: x\ndate: 2026-01-31\npermalink: 'https://x.org/'", 4, "has two together"),
        ("section: x\ndate: 2026-01-31\naliases: [a, '/../../b']", 4, "the name .. begins with a dot"),
        ("section: x\ndate: 2026-01-31\naliases: ['']", 4, "has an empty path"),
        ("section: x\ndate: 2026-01-31\naliases: {a: b}", 4, "is no text, number or date"),
        ("section: x\ndate: 2026-01-31\noutputs: []", 4, "names none"),
        ("section: x\ndate: 2026-01-31\noutputs: [html, docx]", 4, "names 'docx', but its rule makes html"),
    ],
)
def test_a_mistake_is_told_with_its_line(front_matter: str, line: int, message: str) -> None:
    found = problem(front_matter, PATTERN)
    assert found[0] == line
    assert message in found[1]


def test_aliases_are_for_pages_only() -> None:
    assert "is not for command rules" in problem("x: 1\naliases: old", "{meta.x}", renderer="command")[1]


def test_front_matter_that_is_broken_is_a_mistake_only_where_the_path_needs_it() -> None:
    assert route("slug: [", layout("{stem}.html")) is None
    assert problem("slug: [", PATTERN) == (3, problem("slug: [", PATTERN)[1])


def test_only_documents_whose_front_matter_is_read_have_a_route() -> None:
    assert route("slug: b", layout("{stem}.html", renderer="command")) is None
    assert route("slug: b\nx: 1", layout("{stem}{meta.x}.html", renderer="command")) == Route(
        "b", values=(("meta.x", "1"),)
    )


hostile = st.text(max_size=12) | st.lists(st.sampled_from(["a", "..", ".", "", "/", "\\", "{hash}", "é", "\0"])).map(
    "/".join
)
values = hostile | st.integers() | st.floats() | st.dates() | st.booleans() | st.none() | st.lists(hostile, max_size=3)


keys = ["slug", "permalink", "aliases", "outputs"]


@given(st.fixed_dictionaries({"section": st.just("x") | values}, optional=dict.fromkeys(keys, values)))
def test_no_value_leads_out_of_the_output_folder(meta: dict[str, object]) -> None:
    """A path is normal, below the output folder, without control characters, composed, and of names that fit."""
    try:
        written = yaml.safe_dump(meta, allow_unicode=True)
    except UnicodeEncodeError:
        return
    project = layout("{dir}/{meta.section}/{stem}.html", "{stem}.{ext}")
    found = route(written, project)
    if found is None or found.problem:
        return
    for each in project.claims_by(project.rules[0], A, found):
        inner = each.removeprefix("site/")
        assert inner != each
        assert not {"", ".", ".."} & set(inner.split("/"))
        assert escape_controls(each) == each == unicodedata.normalize("NFC", each)
        assert "{" not in each
        assert "\\" not in each
        assert all(len(name.encode()) < 300 for name in each.split("/"))
