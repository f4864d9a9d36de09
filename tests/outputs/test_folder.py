"""Outputs: in place whole or not at all, removed with what they leave empty, never outside of their folder."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec
import pytest

from kahnd.core.events import StagedOutput
from kahnd.core.hashing import hash_bytes
from kahnd.core.model import OutputPath
from kahnd.outputs.folder import FileOutputs
from kahnd.ports import Spoilt

STAGE = ".kahnd/stage/1/a.html"
PLACE = OutputPath("site/x/y/a.html")
NEW = hash_bytes(b"new")
ALTERED = Spoilt(altered=frozenset({PLACE}))


@pytest.fixture
def outputs(tmp_path: Path) -> FileOutputs:
    (tmp_path / STAGE).parent.mkdir(parents=True)
    (tmp_path / STAGE).write_text("new")
    return FileOutputs(tmp_path, "site")


def test_an_output_is_moved_into_place_over_an_older_one(outputs: FileOutputs, tmp_path: Path) -> None:
    (tmp_path / "site/x/y").mkdir(parents=True)
    (tmp_path / PLACE).write_text("old")
    outputs.open({PLACE: hash_bytes(b"old")})
    before = (tmp_path / STAGE).stat().st_ino
    assert outputs.publish([StagedOutput(STAGE, PLACE, NEW)]) is None
    assert ((tmp_path / PLACE).read_text(), (tmp_path / PLACE).stat().st_ino) == ("new", before)
    assert not (tmp_path / STAGE).exists()


def test_folders_are_made(outputs: FileOutputs, tmp_path: Path) -> None:
    assert outputs.publish([StagedOutput(STAGE, PLACE, NEW)]) is None
    assert (tmp_path / PLACE).read_text() == "new"


def test_a_folder_in_its_place_is_told_and_left_alone(outputs: FileOutputs, tmp_path: Path) -> None:
    (tmp_path / PLACE).mkdir(parents=True)
    problem = outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    assert problem
    assert problem.file == PLACE
    assert "folder" in problem.remedy
    assert outputs.remove(PLACE) is None
    assert (tmp_path / PLACE).is_dir()


def test_a_file_where_a_folder_is_needed_is_told(outputs: FileOutputs, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/x").write_text("file")
    problem = outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    assert problem
    assert "file" in problem.remedy
    assert outputs.remove(PLACE) is None
    assert (tmp_path / "site/x").read_text() == "file"


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "room"), (errno.EROFS, "writable"), (errno.EACCES, "permission")]
)
def test_a_disk_that_refuses_is_told_with_a_remedy(
    outputs: FileOutputs, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    problem = outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    assert problem
    assert os.strerror(number) in problem.message
    assert words in problem.remedy


def test_across_file_systems_it_is_copied_whole(
    outputs: FileOutputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.replace

    def other_device(source: str, target: str) -> None:
        if ".kahnd/stage/" in str(source) and Path(target).parent.is_dir():
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    monkeypatch.setattr(os, "replace", other_device)
    assert outputs.publish([StagedOutput(STAGE, PLACE, NEW)]) is None
    assert (tmp_path / PLACE).read_text() == "new"
    assert list((tmp_path / PLACE).parent.iterdir()) == [tmp_path / PLACE]
    assert not (tmp_path / STAGE).exists()
    assert outputs.removable() == {PLACE}


def test_an_output_is_removed_with_the_folders_it_leaves_empty(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    (tmp_path / "site/x/other").write_text("kept")
    assert outputs.remove(PLACE) is None
    assert list((tmp_path / "site/x").iterdir()) == [tmp_path / "site/x/other"]


def test_an_output_that_is_not_there_is_removed_with_its_empty_folders(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    (tmp_path / PLACE).unlink()
    (tmp_path / PLACE).parent.rmdir()
    assert outputs.remove(PLACE) is None
    assert list((tmp_path / "site").iterdir()) == []
    assert outputs.remove(PLACE) is None  # nothing to do, nothing to tell


@pytest.mark.parametrize("place", ["site/out/a.html", "elsewhere/a.html", "site/../a.html", "site", "site/out"])
def test_nothing_outside_of_the_output_folder_is_written_or_removed(
    outputs: FileOutputs, tmp_path: Path, place: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for kept in (outside / "a.html", tmp_path / "a.html"):
        kept.write_text("kept")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/out").symlink_to(outside)
    outputs.open({OutputPath(place): hash_bytes(b"kept")})
    assert outputs.publish([StagedOutput(STAGE, OutputPath(place), NEW)])
    outputs.remove(OutputPath(place))
    assert (tmp_path / "site/out").is_symlink()
    assert [(outside / "a.html").read_text(), (tmp_path / "a.html").read_text()] == ["kept", "kept"]


@pytest.mark.parametrize("link", ["site", "site/x"])
def test_nothing_is_written_through_a_link_wherever_it_leads(outputs: FileOutputs, tmp_path: Path, link: str) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / link).parent.mkdir(exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "www")
    problem = outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    assert problem
    assert "link" in problem.message
    assert list((tmp_path / "www").iterdir()) == []


def _moved_on(root: Path, *sources: str) -> FileOutputs:
    """With another output folder by now."""
    outputs = FileOutputs(root, "public", sources)
    outputs.open({})
    return outputs


def test_what_was_made_in_another_output_folder_is_removed_with_that_folder(
    outputs: FileOutputs, tmp_path: Path
) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    later = _moved_on(tmp_path)
    assert later.made() == {PLACE}
    assert later.remove(PLACE) is None
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("change", ["edited", "touched", "a source", "gone"])
def test_in_another_output_folder_only_what_is_just_as_it_was_made_is_kahnds(
    outputs: FileOutputs, tmp_path: Path, change: str
) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    if change == "edited":
        (tmp_path / PLACE).write_text("a user's")
    elif change == "touched":
        os.utime(tmp_path / PLACE, (1, 1))
    elif change == "gone":
        (tmp_path / PLACE).unlink()
    before = sorted((tmp_path / "site").rglob("*"))
    later = _moved_on(tmp_path, *(["site"] if change == "a source" else []))
    assert later.made() == frozenset()
    assert [PLACE in each.message for each in later.problems()] == ([] if change == "gone" else [True])
    assert later.remove(PLACE) is None
    assert sorted((tmp_path / "site").rglob("*")) == before
    assert _moved_on(tmp_path).problems() == ()


def test_lines_that_name_sources_and_files_outside_are_no_outputs(tmp_path: Path) -> None:
    """They may come with a clone, and know what is in the files."""
    names = ["docs/a.md", "kahnd.toml", ".git/HEAD", ".kahnd/lock", "README.md"]
    (tmp_path / ".kahnd").mkdir()
    with (tmp_path / ".kahnd/outputs").open("wb") as journal:
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(name)
            journal.write(msgspec.json.encode([name, [hash_bytes(name.encode()), len(name), 1, 1]]) + b"\n")
    outputs = FileOutputs(tmp_path, "site", ["docs"])
    outputs.open({})
    assert outputs.made() == outputs.removable() == frozenset()
    assert all(outputs.remove(OutputPath(each)) is None for each in names)
    assert [(tmp_path / each).read_text() for each in names] == names
    (problem,) = outputs.problems()
    assert (problem.file, "README.md" in problem.message) == (".kahnd/outputs", True)


def test_an_output_that_was_altered_is_kept_when_nothing_makes_it_any_more(
    outputs: FileOutputs, tmp_path: Path
) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    (tmp_path / PLACE).write_text("a user's")
    problem = outputs.remove(PLACE)
    assert problem
    assert "not as kahnd made it" in problem.message
    assert (tmp_path / PLACE).read_text() == "a user's"
    assert outputs.remove(PLACE) is None
    assert FileOutputs(tmp_path, "site").made() == frozenset()


def test_an_output_that_was_touched_or_copied_is_removed_all_the_same(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    os.utime(tmp_path / PLACE, (1, 1))
    assert outputs.remove(PLACE) is None
    assert not (tmp_path / "site/x").exists()


def test_a_line_alone_does_not_make_a_file_kahnds_to_overwrite(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    (tmp_path / PLACE).write_text("a user's")
    again = FileOutputs(tmp_path, "site")
    again.open({})
    (tmp_path / STAGE).write_text("newer")
    assert again.publish([StagedOutput(STAGE, PLACE, hash_bytes(b"newer"))])
    assert (tmp_path / PLACE).read_text() == "a user's"
    known = FileOutputs(tmp_path, "site")
    known.open({PLACE: NEW})
    assert known.publish([StagedOutput(STAGE, PLACE, hash_bytes(b"newer"))]) is None
    assert (tmp_path / PLACE).read_text() == "newer"


def test_another_output_folder_that_is_a_link_by_now_is_left_alone(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    (tmp_path / "site").rename(tmp_path / "docs")
    (tmp_path / "site").symlink_to("docs")
    (tmp_path / "docs/x/y/a.html").write_text("a user's")
    _moved_on(tmp_path).remove(PLACE)
    assert (tmp_path / "docs/x/y/a.html").read_text() == "a user's"


def test_a_stage_is_discarded_with_all_in_it_and_may_be_gone(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.discard(STAGE)
    assert not (tmp_path / STAGE).exists()
    for _ in range(2):
        outputs.discard(".kahnd/stage/1")
        assert not (tmp_path / ".kahnd/stage/1").exists()


def test_absent_are_those_that_are_no_regular_files(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    (tmp_path / "site/link").symlink_to(PLACE)
    asked = [PLACE, *map(OutputPath, ("site/x", "site/link", "site/no", "site/x/y/a.html/b"))]
    assert outputs.spoilt(dict.fromkeys(asked)) == Spoilt(absent=frozenset(asked[1:]))


@pytest.mark.parametrize("kind", ["file", "link", "dangling link"])
def test_what_kahnd_did_not_make_is_neither_replaced_nor_removed(
    outputs: FileOutputs, tmp_path: Path, kind: str
) -> None:
    (tmp_path / PLACE).parent.mkdir(parents=True)
    if kind == "file":
        (tmp_path / PLACE).write_text("a user's")
    else:
        (tmp_path / PLACE).symlink_to(STAGE if kind == "link" else "nowhere")
    before = os.lstat(tmp_path / PLACE)
    problem = outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    assert problem
    assert (problem.file, problem.message) == (PLACE, "a file that kahnd did not make is there")
    assert outputs.remove(PLACE) is None
    assert os.lstat(tmp_path / PLACE) == before
    assert (tmp_path / STAGE).exists()


def test_a_file_with_the_same_bytes_becomes_kahnds(outputs: FileOutputs, tmp_path: Path) -> None:
    (tmp_path / PLACE).parent.mkdir(parents=True)
    (tmp_path / PLACE).write_text("new")
    assert outputs.publish([StagedOutput(STAGE, PLACE, NEW)]) is None
    assert outputs.remove(PLACE) is None
    assert not (tmp_path / "site/x").exists()


def test_what_could_not_be_put_in_place_is_not_kahnds(outputs: FileOutputs, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/x").write_text("file")
    assert outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    assert not outputs.made()
    assert not FileOutputs(tmp_path, "site").made()


def test_altered_are_those_with_other_bytes(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    assert not outputs.spoilt({PLACE: NEW})
    assert outputs.spoilt({PLACE: hash_bytes(b"newer")}) == ALTERED  # as after a crash before that was committed
    (tmp_path / PLACE).write_text("odd")
    assert outputs.spoilt({PLACE: NEW}) == ALTERED
    (tmp_path / PLACE).unlink()
    assert outputs.spoilt({PLACE: NEW}) == Spoilt(absent=frozenset({PLACE}))


def test_bytes_are_read_only_where_the_stat_is_another(
    outputs: FileOutputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    os.utime(tmp_path / PLACE, (1, 1))
    assert not outputs.spoilt({PLACE: NEW})
    later = FileOutputs(tmp_path, "site")
    monkeypatch.setattr(Path, "open", None)
    assert not later.spoilt({PLACE: NEW})


def test_an_output_whose_line_a_power_cut_took_is_known_by_its_bytes(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.open({})
    outputs.publish([StagedOutput(STAGE, PLACE, NEW)])
    (tmp_path / ".kahnd/outputs").write_bytes(b"")
    again = FileOutputs(tmp_path, "site")
    again.open({PLACE: NEW})
    assert again.made() == frozenset()
    assert again.spoilt({PLACE: hash_bytes(b"others")}) == ALTERED
    assert again.made() == frozenset()
    assert not again.spoilt({PLACE: NEW})
    assert again.made() == {PLACE}
    assert FileOutputs(tmp_path, "site").made() == {PLACE}


def _staged(root: Path, *names: str) -> list[StagedOutput]:
    """Stages files with their names as text, to be put into a folder."""
    for name in names:
        (root / f".kahnd/stage/1/{name}").parent.mkdir(parents=True, exist_ok=True)
        (root / f".kahnd/stage/1/{name}").write_text(name)
    return [
        StagedOutput(f".kahnd/stage/1/{each}", OutputPath(f"site/{each}"), hash_bytes(each.encode())) for each in names
    ]


def test_several_outputs_are_moved_in_one_call_and_entered_each(outputs: FileOutputs, tmp_path: Path) -> None:
    outputs.open({})
    assert outputs.publish(_staged(tmp_path, "b.css", "b/map/b.css.map")) is None
    assert [(tmp_path / each).read_text() for each in ("site/b.css", "site/b/map/b.css.map")] == [
        "b.css",
        "b/map/b.css.map",
    ]
    outputs.close()
    assert FileOutputs(tmp_path, "site").made() == {"site/b.css", "site/b/map/b.css.map"}


def test_none_of_several_outputs_is_moved_if_a_foreign_file_is_in_the_way_of_one(
    outputs: FileOutputs, tmp_path: Path
) -> None:
    outputs.open({})
    (tmp_path / "site").mkdir()
    (tmp_path / "site/two").write_text("foreign")
    problem = outputs.publish(_staged(tmp_path, "one", "two"))
    assert problem
    assert problem.file == "site/two"
    assert [each.name for each in (tmp_path / "site").iterdir()] == ["two"]
    assert (tmp_path / "site/two").read_text() == "foreign"


@pytest.mark.parametrize("link", ["one", "sub"])
def test_a_link_in_the_stage_is_not_followed(outputs: FileOutputs, tmp_path: Path, link: str) -> None:
    outputs.open({})
    staged = _staged(tmp_path, "one", "sub/two")
    (tmp_path / "private").mkdir()
    (tmp_path / f".kahnd/stage/1/{link}").rename(tmp_path / "private" / link)
    (tmp_path / f".kahnd/stage/1/{link}").symlink_to(tmp_path / "private" / link)
    problem = outputs.publish(staged)
    assert problem
    assert "no regular file" in problem.message
    assert (tmp_path / "private" / link).exists()
    assert not (tmp_path / "site/sub").exists() or link == "one"
