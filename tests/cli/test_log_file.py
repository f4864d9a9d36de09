from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from kahnd.cli.commands.daemon import pretty
from kahnd.cli.log_file import MAX_CHARACTERS, Line, LogFile, Wanted
from kahnd.errors import UsageError

START = datetime(2026, 1, 1, tzinfo=UTC)


def _entry(number: int, level: str = "info", **more: object) -> str:
    time = f"{START + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}"
    return json.dumps({"timestamp": time, "level": level, "event": f"e{number}", **more}) + "\n"


def _events(lines: list[Line]) -> list[str]:
    return [line.entry["event"] for line in lines]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "kahnd.jsonl"
    path.with_name("kahnd.jsonl.2").write_text(_entry(1) + _entry(2))
    path.with_name("kahnd.jsonl.1").write_text(_entry(3) + _entry(4))
    path.write_text(_entry(5) + _entry(6))
    return path


Opener = Callable[..., LogFile]


@pytest.fixture
def opened() -> Iterator[Opener]:
    logs: list[LogFile] = []

    def open_log(path: Path, **wanted: object) -> LogFile:
        logs.append(LogFile(path, Wanted(**wanted)))  # type: ignore[arg-type]
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()


@pytest.mark.parametrize(
    ("count", "numbers"),
    [(1, [6]), (2, [5, 6]), (3, [4, 5, 6]), (5, [2, 3, 4, 5, 6]), (9, range(1, 7)), (None, range(1, 7))],
)
def test_the_last_are_found_through_rotated_files(
    path: Path, opened: Opener, count: int | None, numbers: list[int]
) -> None:
    assert _events(opened(path).last(count)) == [f"e{number}" for number in numbers]


@pytest.mark.parametrize(
    ("wanted", "events"),
    [
        ({"level": "warning"}, ["b", "c"]),
        ({"document": "docs/a.md"}, ["b"]),
        ({"build": "7"}, ["c"]),
        ({"since": START + timedelta(minutes=3)}, ["c", "d"]),
        ({"level": "error", "since": START}, ["c"]),
    ],
)
def test_entries_are_chosen(tmp_path: Path, opened: Opener, wanted: dict[str, object], events: list[str]) -> None:
    path = tmp_path / "log"
    path.write_text(
        _entry(1, event="a")
        + _entry(2, "warning", event="b", document="docs/a.md")
        + _entry(3, "error", event="c", build="7")
        + _entry(4, "debug", event="d")
    )
    assert _events(opened(path, **wanted).last(None)) == events


def test_torn_and_foreign_lines_are_shown_as_they_are(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"event": "half\n[1]\n\xff\n')
    assert _events(opened(path).last(None)) == ['{"event": "half', "[1]", "�"]
    assert opened(path, level="debug").last(None) == []


def test_no_log_has_no_entries(tmp_path: Path, opened: Opener) -> None:
    assert opened(tmp_path / "none").last(5) == []


class FinishedError(Exception):
    """All steps are done, and what they wrote has been seen."""


def _followed(log: LogFile, *steps: Callable[[], object]) -> list[str]:
    """Returns the lines that a follower sees; each step is taken once it has seen everything before."""
    ahead = iter(steps)

    def pause(_seconds: float) -> None:
        step = next(ahead, None)
        if step is None:
            raise FinishedError
        step()

    found: list[str] = []
    with suppress(FinishedError):
        for line in log.follow(pause):
            found.append(line.entry["event"])  # noqa: PERF401 (a list made at once would be lost with the end)
    return found


def _append(path: Path, text: str) -> Callable[[], object]:
    def step() -> None:
        with path.open("a") as file:
            file.write(text)

    return step


def test_what_is_written_later_follows(path: Path, opened: Opener) -> None:
    log = opened(path)
    log.last(1)
    assert _followed(log, _append(path, _entry(7)), _append(path, _entry(8) + _entry(9))) == ["e7", "e8", "e9"]


def test_a_line_that_is_half_written_waits_for_its_end(path: Path, opened: Opener) -> None:
    log = opened(path)
    log.last(1)
    entry = _entry(7)
    assert _followed(log, _append(path, entry[:9]), _append(path, entry[9:] + _entry(8))) == ["e7", "e8"]


def test_it_follows_across_rotation_without_loss(path: Path, opened: Opener) -> None:
    log = opened(path)
    log.last(1)

    def rotate() -> None:
        _append(path, _entry(7))()
        path.rename(path.with_name("kahnd.jsonl.0"))
        path.write_text(_entry(8))

    assert _followed(log, rotate, _append(path, _entry(9))) == ["e7", "e8", "e9"]


class Racing(type(Path())):  # type: ignore[misc]
    """A log that is written to, and rotated, just before anyone can look whether it was."""

    def stat(self, **options: bool) -> os.stat_result:
        rotated = Path(self.parent, "kahnd.jsonl.0")
        if self.name == "kahnd.jsonl" and not rotated.exists():
            _append(Path(self), _entry(7))()
            Path(self).rename(rotated)
            Path(self).write_text(_entry(8))
        return super().stat(**options)  # type: ignore[no-any-return]


def test_what_is_written_right_before_a_rotation_is_not_lost(path: Path, opened: Opener) -> None:
    log = opened(Racing(path))
    log.last(1)
    assert _followed(log) == ["e7", "e8"]


def test_it_follows_a_log_that_is_cut_short(path: Path, opened: Opener) -> None:
    log = opened(path)
    log.last(1)
    assert _followed(log, lambda: path.write_text(_entry(7))) == ["e7"]


def test_it_follows_a_log_that_is_not_there_yet(tmp_path: Path, opened: Opener) -> None:
    path = tmp_path / "log"
    log = opened(path)
    log.last(1)
    assert _followed(log, lambda: None, _append(path, _entry(1))) == ["e1"]


def test_following_chooses_too(path: Path, opened: Opener) -> None:
    log = opened(path, level="error")
    log.last(1)
    assert _followed(log, _append(path, _entry(7) + _entry(8, "error"))) == ["e8"]


def test_following_can_be_left_at_any_line(path: Path, opened: Opener) -> None:
    log = opened(path)
    assert len(list(islice(log.follow(), 2))) == 2


def test_a_line_is_told_for_people() -> None:
    entry = {
        "timestamp": "2026-01-01T12:00:00.123456Z",
        "level": "error",
        "event": "document.failed",
        "document": "docs/a.md",
        "rule": 1,
        "error": "two\nlines",
    }
    time = f"{datetime(2026, 1, 1, 12, tzinfo=UTC).astimezone():%Y-%m-%d %H:%M:%S}.123"
    assert pretty(Line("", entry)) == f"{time} error    document.failed    docs/a.md rule=1\n    two\n    lines"


def test_a_log_that_is_a_link_is_not_read(tmp_path: Path, opened: Opener) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "kahnd.jsonl").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match="symbolic link"):
        opened(tmp_path / "kahnd.jsonl").last(10)


@pytest.mark.parametrize("name", ["kahnd.jsonl", "kahnd.jsonl.2"])
def test_an_endless_line_of_a_damaged_log_is_cut(path: Path, opened: Opener, name: str) -> None:
    damaged = path.with_name(name)
    damaged.write_text("\0" * (3 * MAX_CHARACTERS) + "\n" + damaged.read_text())
    lines = opened(path).last(None)
    assert len(lines) == 7
    assert max(len(line.entry["event"]) for line in lines) < 1_000
    assert max(len(line.text) for line in lines) < 10_000
