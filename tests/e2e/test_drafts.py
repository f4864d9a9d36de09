"""Drafts and pages with a date to come have no outputs until they are published, are asked for, or their date comes."""

from __future__ import annotations

import datetime as dt

from e2e.harness import Corner, Project, eventually

DRAFT = "---\ntitle: D\ndraft: true\n---\ntext\n"
INDEX = '[to it](d.md)\n\n{% for each in pages("d*.md") %}{{ each.title }} {{ each.url }}{% endfor %}\n'


def test_a_draft_has_no_output_is_in_no_list_and_links_to_it_are_dead_until_it_is_published(corner: Corner) -> None:
    corner.write_all({"d.md": DRAFT, "index.md": INDEX, "late.md": "---\ndate: 9999-12-31\n---\n"})
    corner.wait()
    assert set(corner.outputs()) == {"index.html"}
    assert 'href="d.md"' in corner.output("index.html")
    with corner.renders("d.md", "index.md"):
        corner.write("d.md", DRAFT.replace("true", "false"))
    assert 'href="d.html"' in corner.output("index.html")
    assert "D d.html" in corner.output("index.html")
    with corner.renders("index.md"):
        corner.write("d.md", DRAFT)
    assert set(corner.outputs()) == {"index.html"}
    assert "D d.html" not in corner.output("index.html")


def test_a_text_edit_of_a_draft_renders_nothing(corner: Corner) -> None:
    corner.write_all({"d.md": DRAFT, "index.md": INDEX})
    corner.wait()
    with corner.renders():
        corner.write("d.md", f"{DRAFT}more\n")


def test_drafts_are_built_on_request_and_removed_by_the_next_build_without(project: Project) -> None:
    project.write_all({"docs/d.md": DRAFT, "docs/index.md": INDEX, "docs/late.md": "---\ndate: 9999-12-31\n---\n"})
    project.build()
    without = project.outputs()
    assert set(without) == {"index.html"}
    assert project.build("--drafts")["rendered"]
    assert set(project.outputs()) == {"index.html", "d.html", "late.html"}
    assert 'href="d.html"' in project.output("index.html")
    assert sorted(project.build()["removed"]) == ["site/d.html", "site/late.html"]
    assert project.outputs() == without


def test_another_page_that_uses_a_draft_says_so_and_recovers(project: Project) -> None:
    for call in ('page("d.md").url', 'output("d.md")'):
        project.write_all({"docs/d.md": DRAFT, "docs/a.md": f"text {{{{ {call} }}}}\n"})
        (failed,) = project.build(code=1)["failed"]
        assert "docs/d.md is a draft, or has a date to come" in failed["error"]
        project.write("docs/d.md", "published\n")
        project.build()
        assert "d.html" in project.output("a.html")


def test_a_page_whose_date_comes_is_rendered_by_the_daemon(project: Project) -> None:
    project.write("docs/index.md", "[x](soon.md)\n")
    with project.daemon():
        soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=4)
        project.write("docs/soon.md", f"---\ndate: {soon:%Y-%m-%d %H:%M:%S} Z\n---\n")
        project.wait()
        assert not project.exists("site/soon.html")
        eventually(lambda: project.exists("site/soon.html"), "the page is rendered")
        project.wait()
        assert 'href="soon.html"' in project.output("index.html")


def test_drafts_can_not_be_built_beside_a_daemon_which_says_what_to_do(project: Project) -> None:
    project.write_all({"docs/d.md": DRAFT})
    with project.daemon():
        refused = project.kahnd("build", "--drafts", code=2).told
        assert "a daemon runs for this project" in refused
        assert "kahnd run --drafts" in refused
        assert not project.exists("site/d.html")
