"""`kahnd clean`: what kahnd made goes, and nothing else."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from e2e.harness import Project, below


@pytest.fixture
def built(project: Project) -> Project:
    project.write_all({"docs/a.txt": "A", "docs/deep/b.txt": "B"})
    project.build()
    return project


def clean(project: Project, *words: str, code: int = 0) -> dict[str, object]:
    answer: dict[str, object] = project.kahnd("clean", "--json", *words, code=code).json
    return answer


def test_outputs_go_with_the_folders_they_leave_empty_and_sources_stay(built: Project) -> None:
    sources = below(built.path("docs"))
    answer = clean(built)
    assert answer["removed"] == ["site/a.txt", "site/deep/b.txt"]
    assert not built.exists("site")
    assert below(built.path("docs")) == sources


def test_the_next_build_makes_them_again(built: Project) -> None:
    clean(built)
    assert sorted(built.build()["rendered"]) == ["docs/a.txt", "docs/deep/b.txt"]
    assert built.outputs() == built.fresh_outputs()


def test_what_kahnd_did_not_make_stays_wherever_it_is(built: Project) -> None:
    built.write("site/deep/mine.txt", "mine")
    built.write("site/CNAME", "example.org")
    clean(built, "--state")
    assert below(built.path("site")) == {"deep/mine.txt": b"mine", "CNAME": b"example.org"}


def test_an_output_folder_of_before_is_cleaned_too(built: Project) -> None:
    built.write("kahnd.toml", built.read("kahnd.toml").replace('output = "site"', 'output = "public"'))
    assert clean(built)["removed"] == ["site/a.txt", "site/deep/b.txt"]
    assert not built.exists("site/a.txt")


def test_with_state_nothing_of_kahnd_is_left(built: Project) -> None:
    answer = clean(built, "--state")
    assert answer["state"] == [str(built.path(".kahnd"))]
    assert {each.name for each in built.root.iterdir()} == {"docs", "kahnd.toml"}
    assert built.kahnd("history", "--json").json == []


def test_a_database_elsewhere_in_the_project_is_state(project: Project) -> None:
    project.write("kahnd.toml", f'[store]\nurl = "surrealkv://cache/db"\n\n{project.read("kahnd.toml")}')
    project.write("docs/a.txt", "A")
    project.build()
    project.write("cache/mine.txt", "mine")
    clean(project, "--state")
    assert below(project.path("cache")) == {"mine.txt": b"mine"}


def test_a_database_that_another_process_uses_is_kept(project: Project) -> None:
    project.write("kahnd.toml", f'[store]\nurl = "surrealkv://inner/db"\n\n{project.read("kahnd.toml")}')
    project.write("docs/a.txt", "A")
    project.build()
    before = below(project.path("inner")) | below(project.path("site"))
    with project.path("inner/db/LOCK").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = project.kahnd("clean", "--state", code=2).stderr
    assert "another process has the database open" in told
    assert below(project.path("inner")) | below(project.path("site")) == before


def test_a_dry_run_tells_and_changes_nothing(built: Project) -> None:
    before = below(built.root)
    answer = clean(built, "--state", "--dry-run")
    assert answer == {
        "removed": ["site/a.txt", "site/deep/b.txt"],
        "kept": [],
        "state": [str(built.path(".kahnd"))],
        "dry_run": True,
    }
    assert below(built.root) == before
    assert "would remove  site/a.txt" in built.kahnd("clean", "-n").stdout


def test_while_a_daemon_runs_it_is_refused_with_the_reason(built: Project) -> None:
    with built.daemon() as daemon:
        for words in (("clean",), ("clean", "--state")):
            told = built.kahnd(*words, code=4).told
            assert str(daemon.pid) in told
            assert "stop it first" in told
        assert built.output("a.txt") == "A"
        assert clean(built, "--dry-run")["removed"] == ["site/a.txt", "site/deep/b.txt"]


def test_a_failed_removal_is_reported_and_the_journal_stays(built: Project) -> None:
    """A folder that became a link which leads out of the project: what is there may be somebody else's."""
    elsewhere = built.root.with_name("elsewhere")
    built.path("site/deep").rename(elsewhere)
    built.path("site/deep").symlink_to(elsewhere)
    answer = clean(built, code=2)
    assert answer["removed"] == ["site/a.txt"]
    assert "site/deep/b.txt" in json.dumps(answer["kept"])
    assert (elsewhere / "b.txt").read_text() == "B"
    assert "site/deep/b.txt" in built.kahnd("clean", "--state", code=2).stderr
    assert built.exists(".kahnd/outputs")


def test_in_a_project_without_builds_clean_creates_nothing(project: Project) -> None:
    assert "nothing to remove" in project.kahnd("clean", "--state").stdout
    assert not project.exists(".kahnd")


def test_the_removed_files_are_printed(built: Project) -> None:
    lines = built.kahnd("clean").stdout.splitlines()
    assert lines == ["removed  site/a.txt", "removed  site/deep/b.txt", "removed 2 outputs"]


def test_in_a_state_folder_with_foreign_files_the_removed_files_are_printed(built: Project) -> None:
    built.write(".kahnd/notes", "mine")
    built.write(".kahnd/log/mine.txt", "mine")
    will = clean(built, "--state", "--dry-run")["state"]
    assert clean(built, "--state")["state"] == will
    assert str(built.path(".kahnd/db")) in json.dumps(will)
    assert below(built.path(".kahnd")) == {"notes": b"mine", "log/mine.txt": b"mine"}


def test_a_file_in_the_control_sockets_place_stays(built: Project) -> None:
    built.write(".kahnd/control.sock", "mine")
    assert str(built.path(".kahnd/control.sock")) not in json.dumps(clean(built, "--state")["state"])
    assert below(built.path(".kahnd")) == {"control.sock": b"mine"}


def test_a_database_with_somebody_elses_file_is_kept_and_told_of(built: Project) -> None:
    built.write(".kahnd/db/notes", "mine")
    for words in (("--state", "--dry-run"), ("--state",)):
        answer = clean(built, *words, code=2)
        assert "kahnd did not make .kahnd/db/notes" in json.dumps(answer["kept"])
        assert str(built.path(".kahnd/db")) not in json.dumps(answer["state"])
    assert built.read(".kahnd/db/notes") == "mine"


@pytest.mark.parametrize("words", [("status",), ("plan",), ("build",), ("wait",), ("clean",), ("graph",), ("run",)])
def test_something_else_in_the_state_folders_place_is_told_with_its_remedy(
    project: Project, words: tuple[str, ...]
) -> None:
    os.mkfifo(project.path(".kahnd"))
    told = project.kahnd(*words, code=2).stderr
    assert str(project.path(".kahnd")) in told
    assert "move it away" in told
