"""`pages()`: an index knows its members, and is rendered when they change."""

from __future__ import annotations

import pytest

from e2e.harness import Daemon, Project

INDEX = '{% for post in pages("posts/*.md", sort="-date") %}{{ post.title }} at {{ post.url }}|{% endfor %}'


def _post(title: str, date: str) -> str:
    return f"---\ntitle: {title}\ndate: {date}\n---\nText\n"


@pytest.fixture
def blog(project: Project) -> Project:
    project.write_all(
        {
            "docs/index.txt": INDEX,
            "docs/posts/one.md": _post("One", "2026-01-01"),
            "docs/posts/two.md": _post("Two", "2026-02-01"),
            "docs/posts/_draft.md": _post("Draft", "2026-03-01"),
            "docs/apart.md": _post("Apart", "2026-03-01"),
        }
    )
    project.build()
    return project


def _titles(project: Project, index: str = "index.txt") -> list[str]:
    return [each.split(" at ")[0] for each in project.output(index).strip().split("|") if each]


def test_members_are_sorted_and_have_their_url(blog: Project) -> None:
    assert _titles(blog)[-2:] == ["Two", "One"]
    assert "posts/two.html" in blog.output("index.txt")


def test_a_new_member_renders_itself_and_the_index(blog: Project) -> None:
    blog.write("docs/posts/three.md", _post("Three", "2026-03-01"))
    assert sorted(blog.build()["rendered"]) == ["docs/index.txt", "docs/posts/three.md"]
    assert "Three" in _titles(blog)


def test_a_member_that_leaves_renders_the_index_alone(blog: Project) -> None:
    blog.remove("docs/posts/one.md")
    assert blog.build()["rendered"] == ["docs/index.txt"]
    assert "One" not in _titles(blog)


def test_a_members_front_matter_renders_the_index_too(blog: Project) -> None:
    blog.write("docs/posts/one.md", _post("First", "2026-05-01"))
    assert sorted(blog.build()["rendered"]) == ["docs/index.txt", "docs/posts/one.md"]
    assert _titles(blog)[0] == "First"


def test_what_does_not_match_leaves_the_index_alone(blog: Project) -> None:
    blog.write_all({"docs/apart.md": _post("Apart still", "2026-03-02"), "docs/posts/deep/other.md": "# Other\n"})
    assert "docs/index.txt" not in blog.build()["rendered"]


def test_an_index_over_nothing_is_empty_until_there_is_something(project: Project) -> None:
    project.write("docs/index.txt", INDEX)
    assert project.build()["rendered"] == ["docs/index.txt"]
    project.write("docs/posts/one.md", _post("One", "2026-01-01"))
    project.build()
    assert _titles(project) == ["One"]


def test_a_broken_member_does_not_take_the_index_with_it(blog: Project) -> None:
    """The index reads a member's own bytes; that its rendering fails is the member's affair."""
    blog.write("docs/posts/one.md", f"{_post('One', '2026-01-01')}{{% include 'nowhere' %}}\n")
    blog.build(code=1)
    assert "One" in _titles(blog)


def test_a_pattern_that_is_no_constant_is_found_while_rendering(blog: Project) -> None:
    """No scan can tell the pattern: what was read makes the edge."""
    blog.write("docs/late.txt", '{% set what = "posts" %}{{ pages(what ~ "/*.md") | length }}')
    blog.build()
    before = int(blog.output("late.txt"))
    blog.write("docs/posts/three.md", _post("Three", "2026-03-01"))
    assert "docs/late.txt" in blog.build()["rendered"]
    assert int(blog.output("late.txt")) == before + 1


def test_membership_is_followed_by_a_daemon(live: Daemon) -> None:
    project = live.project
    project.write_all({"docs/blog/index.txt": INDEX, "docs/blog/posts/one.md": _post("One", "2026-01-01")})
    project.wait()
    with project.renders("docs/blog/index.txt", "docs/blog/posts/two.md"):
        project.write("docs/blog/posts/two.md", _post("Two", "2026-02-01"))
    assert _titles(project, "blog/index.txt") == ["Two", "One"]
    with project.renders("docs/blog/index.txt"):
        project.remove("docs/blog/posts/two.md")
    with project.renders("docs/blog/index.txt", "docs/blog/posts/uno.md"):
        project.path("docs/blog/posts/one.md").rename(project.path("docs/blog/posts/uno.md"))
    assert "blog/posts/uno.html" in project.output("blog/index.txt") or "posts/uno.html" in project.output(
        "blog/index.txt"
    )
