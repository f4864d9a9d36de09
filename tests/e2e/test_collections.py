"""`pages()`: an index knows its members, and is rendered when they change."""

from __future__ import annotations

import pytest

from e2e.harness import Corner

INDEX = '{% for post in pages("posts/*.md", sort="-date") %}{{ post.title }} at {{ post.url }}|{% endfor %}'


def _post(title: str, date: str) -> str:
    return f"---\ntitle: {title}\ndate: {date}\n---\nText\n"


@pytest.fixture
def blog(corner: Corner) -> Corner:
    corner.write_all(
        {
            "index.txt": INDEX,
            "posts/one.md": _post("One", "2026-01-01"),
            "posts/two.md": _post("Two", "2026-02-01"),
            "apart.md": _post("Apart", "2026-03-01"),
        }
    )
    corner.wait()
    return corner


def _titles(corner: Corner) -> list[str]:
    return [each.split(" at ")[0] for each in corner.output("index.txt").strip().split("|") if each]


def test_members_are_sorted_and_have_their_url(blog: Corner) -> None:
    assert _titles(blog) == ["Two", "One"]
    assert "Two at posts/two.html|" in blog.output("index.txt")


def test_a_new_member_renders_itself_and_the_index(blog: Corner) -> None:
    with blog.renders("index.txt", "posts/three.md"):
        blog.write("posts/three.md", _post("Three", "2026-03-01"))
    assert _titles(blog) == ["Three", "Two", "One"]


def test_a_member_that_leaves_renders_the_index_alone(blog: Corner) -> None:
    with blog.renders("index.txt"):
        blog.remove("posts/one.md")
    assert _titles(blog) == ["Two"]


def test_a_member_that_is_renamed_is_followed(blog: Corner) -> None:
    with blog.renders("index.txt", "posts/uno.md"):
        blog.path("posts/one.md").rename(blog.path("posts/uno.md"))
    assert "One at posts/uno.html|" in blog.output("index.txt")


def test_a_members_front_matter_renders_the_index_too(blog: Corner) -> None:
    with blog.renders("index.txt", "posts/one.md"):
        blog.write("posts/one.md", _post("First", "2026-05-01"))
    assert _titles(blog) == ["First", "Two"]


def test_what_does_not_match_leaves_the_index_alone(blog: Corner) -> None:
    with blog.renders("apart.md", "posts/deep/other.md"):
        blog.write_all({"apart.md": _post("Apart still", "2026-03-02"), "posts/deep/other.md": "# Other\n"})


def test_an_index_over_nothing_is_empty_until_there_is_something(corner: Corner) -> None:
    with corner.renders("index.txt"):
        corner.write("index.txt", INDEX)
    assert _titles(corner) == []
    with corner.renders("index.txt", "posts/one.md"):
        corner.write("posts/one.md", _post("One", "2026-01-01"))
    assert _titles(corner) == ["One"]


def test_a_broken_member_does_not_take_the_index_with_it(blog: Corner) -> None:
    """The index reads a member's own bytes; that its rendering fails is the member's affair."""
    with blog.renders("index.txt", code=1):
        blog.write("posts/one.md", f"{_post('Uno', '2026-01-01')}{{% include 'nowhere' %}}\n")
    assert _titles(blog) == ["Two", "Uno"]
    blog.remove("posts/one.md")
    blog.wait()


def test_a_pattern_that_is_no_constant_is_found_while_rendering(blog: Corner) -> None:
    """No scan can tell the pattern: what was read makes the edge."""
    with blog.renders("late.txt"):
        blog.write("late.txt", '{% set what = "posts" %}{{ pages(what ~ "/*.md") | length }}')
    assert blog.output("late.txt") == "2"
    with blog.renders("late.txt", "index.txt", "posts/three.md"):
        blog.write("posts/three.md", _post("Three", "2026-03-01"))
    assert blog.output("late.txt") == "3"
