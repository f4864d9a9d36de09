"""Several outputs a document, by the installed command and a running daemon."""

from __future__ import annotations

import pytest

from e2e.harness import Project
from e2e.rules import PAGES, command, rule

CSS = rule(
    "docs/**/*.scss",
    "command",
    ("{dir}/{stem}.css", "{dir}/{stem}.css.map"),
    command("sh", "-c", 'head -n 1 "$1" > "$2" && tail -n 1 "$1" > "$3"', "sh", "{source}", "{outputs}"),
)
FILL = 'while read -r name; do mkdir -p "$2/${name%/*}"; echo "$name" > "$2/$name"; done < "$1"'
BOOK = rule("docs/**/*.book", "command", "{dir}/{stem}/", command("sh", "-c", FILL, "sh", "{source}", "{output}"))


@pytest.fixture
def styled(project: Project) -> Project:
    project.configure(PAGES, CSS, BOOK)
    project.write_all(
        {
            "docs/a.scss": "css\nmap\n",
            "docs/b.book": "x/one\nx/two\n",
            "docs/map.md": "{{ output('a.scss', format='map').text }}",
            "docs/css.md": "{{ output('a.scss').text }} {{ output('b.book', 'x/one') }}",
        }
    )
    return project


def test_only_who_uses_the_changed_output_is_rendered(styled: Project) -> None:
    with styled.daemon():
        assert {"a.css", "a.css.map", "b/x/one", "b/x/two", "css.html", "map.html"} == set(styled.outputs())
        assert "b/x/one" in styled.output("css.html")
        with styled.renders("docs/a.scss", "docs/map.md"):
            styled.write("docs/a.scss", "css\nmap 2\n")
        with styled.renders("docs/b.book"):
            styled.write("docs/b.book", "x/one\nx/three\n")
        assert not styled.exists("site/b/x/two")
        (node,) = (each for each in styled.graph()["nodes"] if each["id"] == "docs/b.book")
        assert (node["output"], node["outputs"]) == ("site/b/", ["site/b/x/one", "site/b/x/three"])
        assert styled.log("document.rendered")[-1]["outputs"] == ["site/b/x/one", "site/b/x/three"]
        with styled.renders("docs/b.book"):
            styled.remove("site/b/x/three")
    assert styled.outputs() == styled.fresh_outputs()


def test_after_a_kill_nothing_is_left_that_no_document_makes(styled: Project) -> None:
    with styled.daemon() as daemon:
        styled.write("docs/b.book", "x/one\nx/four\n")
        styled.wait()
        daemon.kill()
    styled.write("docs/b.book", "x/five\n")
    styled.write("docs/css.md", "{{ output('b.book', 'x/five') }}")
    styled.build()
    assert styled.outputs() == styled.fresh_outputs()
    assert styled.kahnd("clean").code == 0
    assert not styled.exists("site")


def test_a_page_follows_a_style_sheet_whose_path_has_a_hash(project: Project) -> None:
    project.configure(PAGES, rule("docs/**/*.bin", "copy", "{dir}/{stem}.{hash}.css"))
    project.write_all({"docs/a.bin": "one", "docs/p.md": "{{ output('a.bin') }}"})
    with project.daemon():
        (before,) = (each for each in project.outputs() if each.endswith(".css"))
        assert before in project.output("p.html")
        with project.renders("docs/a.bin", "docs/p.md"):
            project.write("docs/a.bin", "two")
        (after,) = (each for each in project.outputs() if each.endswith(".css"))
        assert before != after
        assert after in project.output("p.html")
        with project.renders("docs/a.bin"):
            project.remove(f"site/{after}")
    assert project.outputs() == project.fresh_outputs()
    assert project.build(f"site/{after}")["rendered"] == []


def test_an_output_can_be_named_as_a_target(styled: Project) -> None:
    assert styled.build("site/a.css.map")["rendered"] == ["docs/a.scss"]
    assert styled.build("site/b/x/two")["rendered"] == ["docs/b.book"]


def test_a_foreign_file_in_a_folder_is_kept(styled: Project) -> None:
    styled.write("site/b/x/mine", "mine")
    styled.build()
    styled.remove("docs/b.book")
    styled.remove("docs/css.md")
    styled.build()
    assert styled.read("site/b/x/mine") == "mine"
    assert not styled.exists("site/b/x/one")
