"""A document is rendered only for what it uses of another one: its front matter, title, text, url or output."""

from __future__ import annotations

import pytest

from e2e.harness import Corner, Project

PAGE = "---\ntitle: Bee\ndate: 2026-01-02\n---\n# Bee\n\nText\n"
USERS = {
    "title.txt": "{{ page('b.md').title }}",
    "text.txt": "{{ page('b.md').text }}",
    "matter.txt": "{{ page('b.md').date }}",
    "url.txt": "{{ page('b.md').url }}",
    "link.txt": "{{ output('b.md') }}",
    "output.txt": "{{ output('b.md').text }}",
    "index.txt": "{% for p in pages('b*.md') %}{{ p.title }} {{ p.url }}{% endfor %}",
    "layout.txt": "{% include '_links.txt' %}",
    "_links.txt": "{{ output('b.md') }}",
}


@pytest.fixture
def users(corner: Corner) -> Corner:
    corner.write_all({"b.md": PAGE, **USERS})
    corner.wait()
    return corner


def test_new_text_renders_the_users_of_the_text_or_the_output(users: Corner) -> None:
    with users.renders("b.md", "text.txt", "output.txt"):
        users.write("b.md", PAGE.replace("Text", "Other"))
    assert "Other" in users.output("text.txt")
    assert "Other" in users.output("output.txt")


def test_a_new_title_renders_the_users_of_title_front_matter_or_output(users: Corner) -> None:
    with users.renders("b.md", "title.txt", "matter.txt", "index.txt", "output.txt"):
        users.write("b.md", PAGE.replace("title: Bee", "title: Cee"))
    assert users.output("title.txt") == "Cee"


def test_front_matter_that_is_not_shown_renders_only_its_users(users: Corner) -> None:
    with users.renders("b.md", "matter.txt"):
        users.write("b.md", PAGE.replace("01-02", "01-03"))
    assert users.output("matter.txt") == "2026-01-03"


def test_a_page_that_fails_and_recovers_renders_no_dependent(users: Corner) -> None:
    users.write("b.md", PAGE.replace("---\n#", "#"))
    assert {each["document"] for each in users.wait(1)["failed"]} >= {users.document("title.txt")}
    with users.renders():
        users.write("b.md", PAGE)


def test_the_reason_names_the_facet(users: Corner) -> None:
    users.write("b.md", PAGE.replace("title: Bee", "title: Cee"))
    users.wait()
    reason, *more = users.project.kahnd("why", users.document("index.txt"), "--json").json["reasons"]
    assert (reason["kind"], reason["document"], reason["facets"]) == ("dependency", users.document("b.md"), ["title"])
    assert reason["before"] != reason["after"]
    assert more == []
    assert f"{users.document('b.md')} (title)" in users.project.kahnd("why", users.document("index.txt")).told


def test_facets_outlive_a_restart(project: Project) -> None:
    project.write_all({"docs/b.md": PAGE, **{f"docs/{name}": text for name, text in USERS.items()}})
    project.build()
    project.write("docs/b.md", PAGE.replace("Text", "Other"))
    assert project.kahnd("plan", "--json").json["generations"] == [["docs/b.md", "docs/text.txt"], ["docs/output.txt"]]
    assert sorted(project.build()["rendered"]) == ["docs/b.md", "docs/output.txt", "docs/text.txt"]
