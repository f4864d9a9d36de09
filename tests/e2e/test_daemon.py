"""A running daemon and saves, new files, renames and deletions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from e2e.harness import Daemon, Project, below, eventually

pytestmark = pytest.mark.smoke


def test_an_edit_renders_the_document_and_its_dependents_alone(live: Daemon) -> None:
    project = live.project
    project.write_all(
        {
            "docs/edit/_part.txt": "one",
            "docs/edit/a.txt": '{% include "_part.txt" %}',
            "docs/edit/b.txt": 'b {% include "_mid.txt" %}',
            "docs/edit/_mid.txt": '{% include "_part.txt" %}',
            "docs/edit/c.txt": "c",
        }
    )
    project.wait()
    with project.renders("docs/edit/a.txt", "docs/edit/b.txt"):
        project.write("docs/edit/_part.txt", "two")
    assert project.output("edit/a.txt") == "two"
    assert project.output("edit/b.txt") == "b two"


def test_a_build_beside_the_daemon_renders_nothing_more(live: Daemon) -> None:
    project = live.project
    project.write("docs/beside.txt", "A")
    project.wait()
    assert project.build()["rendered"] == []


def test_touching_and_saving_unchanged_render_nothing(live: Daemon) -> None:
    project = live.project
    project.write("docs/touch/a.txt", "A")
    project.wait()
    with project.renders():
        os.utime(project.path("docs/touch/a.txt"))
        project.write("docs/touch/a.txt", "A")


def test_a_new_file_is_rendered(live: Daemon) -> None:
    with live.project.renders("docs/fresh/a.txt"):
        live.project.write("docs/fresh/a.txt", "A")
    assert live.project.output("fresh/a.txt") == "A"


def test_a_folder_copied_in_is_rendered_whole(live: Daemon) -> None:
    project = live.project
    origin = project.root.with_name("origin")
    for number in range(60):
        folder = origin / f"{number % 6}" / f"{number % 12}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.bin").write_text(f"{number}")
    shutil.copytree(origin, project.path("docs/copied"))
    project.wait()
    assert below(project.path("site/copied")) == below(origin)


def test_a_folder_renamed_in_is_rendered_whole_and_renamed_out_goes(live: Daemon) -> None:
    project = live.project
    outside = project.root.with_name("outside")
    (outside / "deep").mkdir(parents=True)
    (outside / "deep" / "a.txt").write_text("A")
    outside.rename(project.path("docs/moved"))
    project.wait()
    assert project.output("moved/deep/a.txt") == "A"
    project.path("docs/moved").rename(outside)
    project.wait()
    assert not project.exists("site/moved")


def test_a_rename_moves_the_output(live: Daemon) -> None:
    project = live.project
    project.write("docs/rename/a.txt", "A")
    project.wait()
    project.path("docs/rename/a.txt").rename(project.path("docs/rename/b.txt"))
    project.wait()
    assert below(project.path("site/rename")) == {"b.txt": b"A"}


def test_a_deletion_takes_the_output_and_its_empty_folder(live: Daemon) -> None:
    project = live.project
    project.write("docs/delete/a.txt", "A")
    project.wait()
    shutil.rmtree(project.path("docs/delete"))
    project.wait()
    assert not project.exists("site/delete")


def test_a_document_comes_back_after_a_deletion(live: Daemon) -> None:
    project = live.project
    for text in ("first", "second"):
        project.write("docs/again/a.txt", text)
        project.wait()
        assert project.output("again/a.txt") == text
        shutil.rmtree(project.path("docs/again"))
        project.wait()
        assert not project.exists("site/again/a.txt")


def test_what_depends_on_a_deleted_document_is_blocked_until_it_is_back(live: Daemon) -> None:
    project = live.project
    project.write_all({"docs/gone/_part.txt": "one", "docs/gone/a.txt": '{% include "_part.txt" %}'})
    project.wait()
    project.remove("docs/gone/_part.txt")
    answer = project.wait(code=1)
    assert [each["document"] for each in answer["blocked"]] == ["docs/gone/a.txt"]
    assert answer["blocked"][0]["because"] == "docs/gone/_part.txt"
    assert project.output("gone/a.txt") == "one"
    with project.renders("docs/gone/a.txt"):
        project.write("docs/gone/_part.txt", "two")
    assert project.output("gone/a.txt") == "two"


def test_a_missing_include_is_repaired_when_the_file_appears(live: Daemon) -> None:
    project = live.project
    project.write("docs/later/a.txt", '{% include "new/_part.txt" %}')
    answer = project.wait(code=1)
    assert [each["because"] for each in answer["blocked"]] == ["docs/later/new/_part.txt"]
    with project.renders("docs/later/a.txt"):
        project.write("docs/later/new/_part.txt", "here")
    assert project.output("later/a.txt") == "here"


def test_front_matter_is_part_of_the_page(live: Daemon) -> None:
    project = live.project
    project.write("docs/front/a.md", "---\ntitle: Old name\n---\nText\n")
    project.write("docs/front/b.md", '{{ page("a.md").title }}\n')
    project.wait()
    assert "Old name" in project.output("front/b.html")
    with project.renders("docs/front/a.md", "docs/front/b.md"):
        project.write("docs/front/a.md", "---\ntitle: New name\n---\nText\n")
    assert "New name" in project.output("front/b.html")


def test_front_matter_can_name_a_dependency(live: Daemon) -> None:
    project = live.project
    project.write_all({"docs/declared/data.csv": "1", "docs/declared/a.md": "---\ndepends_on: [data.csv]\n---\nA\n"})
    project.wait()
    with project.renders("docs/declared/a.md"):
        project.write("docs/declared/data.csv", "2")


def test_a_save_in_place_in_two_steps_ends_whole(live: Daemon) -> None:
    project = live.project
    path = project.path("docs/slow/a.txt")
    project.write("docs/slow/a.txt", "old")
    project.wait()
    with path.open("w") as file:
        file.flush()
        eventually(lambda: project.output("slow/a.txt") == "", "the truncated half is seen")
        file.write("new and whole")
    project.wait()
    assert project.output("slow/a.txt") == "new and whole"


def test_a_document_that_becomes_a_folder_and_back(live: Daemon) -> None:
    project = live.project
    project.write("docs/turn/a.txt", "file")
    project.wait()
    project.remove("docs/turn/a.txt")
    project.write("docs/turn/a.txt/b.txt", "inside")
    project.wait()
    assert below(project.path("site/turn")) == {"a.txt/b.txt": b"inside"}
    shutil.rmtree(project.path("docs/turn/a.txt"))
    project.write("docs/turn/a.txt", "file again")
    project.wait()
    assert below(project.path("site/turn")) == {"a.txt": b"file again"}


def test_an_output_deleted_beside_the_daemon_is_made_again_by_build(live: Daemon) -> None:
    project = live.project
    project.write("docs/output/a.txt", "A")
    project.wait()
    with project.renders("docs/output/a.txt"):
        project.remove("site/output/a.txt")
        project.build()
    assert project.output("output/a.txt") == "A"


def test_a_source_that_changes_while_it_renders_is_rendered_again(live: Daemon) -> None:
    project = live.project
    gate = project.gate()
    project.write("docs/while/a.sh", gate.script("old"))
    gate.reached("old")
    project.write("docs/while/a.sh", 'echo new > "$1"')
    project.wait()
    assert project.output("while/a.out") == "new\n"
    old = [each for each in project.log("document.rendered") if each["document"] == "docs/while/a.sh"]
    assert len(old) == 1


def test_a_change_that_no_event_tells_of_is_found_by_looking(project: Project, tmp_path: Path) -> None:
    """Written through another name of the same file, outside of what is watched."""
    project.write("kahnd.toml", f"{project.read('kahnd.toml')}\n[watch]\nrescan_s = 0.5\n")
    project.write("docs/a.txt", "old")
    (tmp_path / "other-name").hardlink_to(project.path("docs/a.txt"))
    with project.daemon():
        (tmp_path / "other-name").write_text("new")
        eventually(lambda: project.output("a.txt") == "new", "the change is found")


def test_what_changed_while_the_daemon_was_down_is_rendered_at_its_start(live: Daemon) -> None:
    """And in the end everything is what a build of the same files in an empty folder gives."""
    project = live.project
    project.write_all({"docs/down/a.txt": "old", "docs/down/b.txt": "gone soon"})
    project.wait()
    live.stop()
    project.write_all({"docs/down/a.txt": "new", "docs/down/c.txt": "C"})
    project.remove("docs/down/b.txt")
    mark = project.mark()
    with project.daemon():
        project.wait()
        assert project.rendered(mark) == ["docs/down/a.txt", "docs/down/c.txt"]
        assert project.outputs() == project.fresh_outputs()
