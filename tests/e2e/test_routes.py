"""Front matter says where a page is: `slug`, `permalink`, `aliases`, `outputs`, and `{meta.…}` in rules."""

from __future__ import annotations

from e2e.harness import Corner, Project
from e2e.rules import command, rule

PAGE = "---\ntitle: A\n{}\n---\ntext\n"
INDEX = """[to it](a.md)

{{ page("a.md").url }} {{ output("a.md") }} {% for each in pages("a*.md") %}{{ each.url }}{% endfor %}
"""


def urls(index: str, url: str) -> bool:
    """Whether the link, `page()`, `output()` and `pages()` of the index lead there."""
    return f'href="{url}"' in index and f"{url} {url} {url}" in index


def test_a_page_with_a_slug_has_its_place_and_who_leads_to_it_follows_when_it_changes(corner: Corner) -> None:
    corner.write_all({"a.md": PAGE.format("slug: first"), "index.md": INDEX, "other.md": "other\n"})
    corner.wait()
    assert set(corner.outputs()) == {"first.html", "index.html", "other.html"}
    assert urls(corner.output("index.html"), "first.html")
    with corner.renders("a.md", "index.md"):
        corner.write("a.md", PAGE.format("slug: notes/second"))
    assert set(corner.outputs()) == {"notes/second.html", "index.html", "other.html"}
    assert urls(corner.output("index.html"), "notes/second.html")
    with corner.renders("a.md", "index.md"):
        corner.write("a.md", PAGE.format(""))
    assert set(corner.outputs()) == {"a.html", "index.html", "other.html"}
    assert urls(corner.output("index.html"), "a.html")


def test_an_edit_of_a_page_that_stays_where_it_is_renders_only_it(corner: Corner) -> None:
    corner.write_all({"a.md": PAGE.format("slug: first"), "index.md": "[to it](a.md)\n"})
    corner.wait()
    with corner.renders("a.md"):
        corner.write("a.md", PAGE.format("slug: first") + "more\n")


def test_a_permalink_is_the_path_from_the_output_folder_and_may_be_a_folders(corner: Corner) -> None:
    folder = corner.path("").name
    corner.write_all({"a.md": PAGE.format(f"permalink: /{folder}/x/y.html"), "index.md": INDEX})
    corner.wait()
    assert urls(corner.output("index.html"), "x/y.html")
    corner.write("a.md", PAGE.format(f"permalink: /{folder}/x/y/"))
    corner.wait()
    assert set(corner.outputs()) == {"x/y/index.html", "index.html"}
    assert urls(corner.output("index.html"), "x/y/")
    with corner.renders("a.md", "index.md"):  # the same file, and another URL
        corner.write("a.md", PAGE.format(f"permalink: /{folder}/x/y/index.html"))
    assert urls(corner.output("index.html"), "x/y/index.html")


def test_aliases_are_redirect_pages_that_come_and_go_with_their_page(corner: Corner) -> None:
    folder = corner.path("").name
    corner.write_all(
        {
            "a.md": PAGE.format(f"slug: new/a\naliases: [/{folder}/old/, was.html]"),
            "index.md": '[old](old/)\n\n{% for each in pages("*.md") %}({{ each.url }}){% endfor %}\n',
        }
    )
    corner.wait()
    assert set(corner.outputs()) == {"new/a.html", "new/was.html", "old/index.html", "index.html"}
    assert 'content="0; url=../new/a.html"' in corner.output("old/index.html")
    assert '<link rel="canonical" href="a.html">' in corner.output("new/was.html")
    assert "noindex" in corner.output("old/index.html")
    assert "(new/a.html)(./)" in corner.output("index.html") or "(new/a.html)(index.html)" in corner.output(
        "index.html"
    )
    with corner.renders("a.md", "index.md"):
        corner.write("a.md", PAGE.format("slug: new/a"))
    assert set(corner.outputs()) == {"new/a.html", "index.html"}
    corner.remove("a.md")
    corner.wait()
    assert set(corner.outputs()) == {"index.html"}


def test_a_link_to_an_alias_is_followed_and_dead_once_it_is_gone(project: Project) -> None:
    project.configure(rule("docs/**/*.md", "page", more='links = "error"\n'))
    project.write_all({"docs/a.md": PAGE.format("aliases: /old/"), "docs/b.md": "[x](/old/) [y](old/index.html)\n"})
    with project.daemon():
        assert project.wait()["failed"] == []
        project.write("docs/a.md", PAGE.format(""))
        (failed,) = project.wait(code=1)["failed"]
        assert failed["document"] == "docs/b.md"
        assert "leads nowhere" in failed["error"]
        project.write("docs/a.md", PAGE.format("aliases: /old/"))
        assert project.wait()["failed"] == []


def test_two_documents_with_one_place_are_an_error_that_names_both(project: Project) -> None:
    project.write_all({"docs/a.md": PAGE.format("aliases: /b.html"), "docs/b.md": "b\n", "docs/c.md": "c\n"})
    failed = {each["document"]: each["error"] for each in project.build(code=1)["failed"]}
    assert failed.keys() == {"docs/a.md", "docs/b.md"}
    assert all("docs/a.md and docs/b.md both render to site/b.html" in each for each in failed.values())
    project.write("docs/a.md", PAGE.format("slug: x"))
    assert project.build()["failed"] == []
    project.write("docs/c.md", PAGE.format("slug: x"))
    assert {each["document"] for each in project.build(code=1)["failed"]} == {"docs/a.md", "docs/c.md"}
    project.write("docs/a.md", PAGE.format(""))
    project.build()
    assert project.outputs() == project.fresh_outputs()


def test_an_alias_at_the_page_itself_is_an_error(project: Project) -> None:
    project.write("docs/a.md", PAGE.format("aliases: [/a.html]"))
    (failed,) = project.build(code=1)["failed"]
    assert "docs/a.md renders to site/a.html twice" in failed["error"]
    assert "`aliases`" in failed["error"]


def test_pages_that_exchange_their_places_have_each_its_own_text_there(corner: Corner) -> None:
    corner.write("index.md", "[a](a.md) [b](b.md)\n")
    for names in (("one", "two"), ("two", "one"), ("three", "two/inner"), ("two", "three"), ("b", "a")):
        for document, name in zip("ab", names, strict=True):
            corner.write(f"{document}.md", PAGE.format(f"slug: {name}") + f"I am {document}")
        corner.wait()
        assert set(corner.outputs()) == {"index.html", *(f"{name}.html" for name in names)}
        for document, name in zip("ab", names, strict=True):
            assert f"I am {document}" in corner.output(f"{name}.html")
            assert f'href="{name}.html">{document}' in corner.output("index.html")


def test_a_place_is_known_after_a_restart(project: Project) -> None:
    project.write_all({"docs/a.md": PAGE.format("slug: first\naliases: old.html"), "docs/index.md": INDEX})
    project.build()
    assert project.build()["rendered"] == []
    project.write("docs/index.md", INDEX + "more\n")
    assert project.build()["rendered"] == ["docs/index.md"]
    assert urls(project.output("index.html"), "first.html")
    with project.daemon():
        project.remove("docs/a.md")
        project.wait(code=1)
        assert set(project.outputs()) == {"index.html"}


DATED = rule("docs/**/*.md", "page", "{meta.date.year}/{meta.section}/{stem}.html")


def test_values_of_the_front_matter_are_a_part_of_the_path(project: Project) -> None:
    project.configure(DATED, rule("docs/*.log", "command", "{meta.day}.txt", command("cat", "{source}", stdout=True)))
    project.write_all(
        {
            "docs/a.md": PAGE.format("date: 2025-03-01\nsection: Übersicht/all"),
            "docs/b.md": PAGE.format("date: 1999-12-31 23:30:00 -0300\nsection: 7") + "[a](a.md)",
            "docs/x.log": "---\nday: 2026-01-31\n---\nx\n",
        }
    )
    project.build()
    assert set(project.outputs()) == {"2025/Übersicht/all/a.html", "1999/7/b.html", "2026-01-31.txt"}
    assert 'href="../../2025/%C3%9Cbersicht/all/a.html"' in project.output("1999/7/b.html")
    project.write("docs/a.md", PAGE.format("date: 2026-03-01\nsection: x"))
    assert sorted(project.build()["rendered"]) == ["docs/a.md", "docs/b.md"]
    assert project.outputs() == project.fresh_outputs()


def test_a_value_that_can_be_no_path_fails_its_page_with_the_line(project: Project) -> None:
    project.configure(DATED)
    good = PAGE.format("date: 2025-03-01\nsection: x")
    project.write_all({"docs/a.md": good, "docs/b.md": good + "[a](a.md)"})
    with project.daemon():
        assert project.wait()["failed"] == []
        for bad, line, message in (
            ("date: 2026-01-31", 1, "`section` is missing in its front matter"),
            ("section: x\ndate: 2026-01-31\nslug: /../x", 5, "`slug` can't be a part of an output's path"),
        ):
            project.write("docs/a.md", PAGE.format(bad))
            (failed,) = project.wait(code=1)["failed"]
            assert failed["document"] == "docs/a.md"
            assert f"docs/a.md:{line}: " in failed["error"]
            assert message in failed["error"]
            assert project.exists("site/2025/x/a.html")  # its last good output stays
        project.write("docs/a.md", good)
        project.wait()
    assert project.outputs() == project.fresh_outputs()


def test_only_the_outputs_that_are_asked_for_are_made(project: Project) -> None:
    script = 'for each in "$@"; do echo x > "$each"; done'
    both = command("sh", "-c", script, "sh", "{outputs}")
    project.configure(rule("docs/*.nb", "command", ["{meta.part}/{stem}.html", "{stem}.pdf", "{stem}.data.csv"], both))
    project.write("docs/a.nb", "---\npart: one\n---\n")
    project.build()
    assert set(project.outputs()) == {"one/a.html", "a.pdf", "a.data.csv"}
    project.write("docs/a.nb", "---\npart: one\noutputs: [.pdf, data.csv]\nslug: b\n---\n")
    project.build()
    assert set(project.outputs()) == {"b.pdf", "b.data.csv"}
    assert project.outputs() == project.fresh_outputs()
    project.write("docs/a.nb", "---\npart: one\npermalink: /x/y/\n---\n")
    project.build()
    assert set(project.outputs()) == {"x/y/index.html", "y.pdf", "y.data.csv"}


def test_clean_urls_slugs_and_aliases_go_together(project: Project) -> None:
    project.configure(rule("docs/**/*.md", "page", more="clean_urls = true\ntemplating = false\n"))
    project.write_all(
        {
            "docs/posts/a.md": PAGE.format("slug: first\naliases: [old]"),
            "docs/posts/index.md": PAGE.format("aliases: [start]") + "[a](a.md) [old](old/)",
        }
    )
    project.build()
    assert set(project.outputs()) == {
        "posts/first/index.html",
        "posts/old/index.html",
        "posts/index.html",
        "posts/start/index.html",
    }
    assert 'href="first/"' in project.output("posts/index.html")
    assert "url=../first/" in project.output("posts/old/index.html")
    assert "url=../" in project.output("posts/start/index.html")


def test_a_redirect_page_leads_to_the_path_with_the_hash_that_the_page_has(project: Project) -> None:
    project.configure(rule("docs/**/*.md", "page", "{dir}/{stem}.{hash}.html"))
    project.write("docs/a.md", PAGE.format("aliases: /old/"))
    project.build()
    (page,) = [each for each in project.outputs() if each.startswith("a.")]
    assert f'url=../{page}"' in project.output("old/index.html")
