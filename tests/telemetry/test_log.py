from __future__ import annotations

import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest

from kahnd.config.tables import LogTable
from kahnd.core.events import LOG_LEVELS, LogEvent
from kahnd.telemetry import log as log_module
from kahnd.telemetry.log import Logging, configure, write_event

FILE = ".kahnd/log/kahnd.jsonl"
Open = Callable[..., Logging]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Logs of this project; by default to the file alone."""
    made: list[Logging] = []

    def open_log(*, terminal: bool = False, **options: Any) -> Logging:
        config = LogTable(**{key: options.pop(key) for key in ("level", "format", "file") if key in options})
        made.append(configure(config, tmp_path, terminal=terminal, **{"stream": None, **options}))
        return made[-1]

    yield open_log
    for each in made:
        each.close()


@dataclass(frozen=True)
class Stream:
    """The file that a log's stream is written to, and everything that was written."""

    file: TextIO
    path: Path

    def told(self, logging: Logging) -> str:
        """When the log is closed."""
        logging.close()
        return self.path.read_text()


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Stream]:
    path = tmp_path / "stderr"
    with path.open("w") as file:
        yield Stream(file, path)


def _lines(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / FILE).read_text().splitlines()]


def test_a_line_has_its_keys_in_order_and_the_time_in_utc(tmp_path: Path, opened: Open) -> None:
    log = opened().log.bind(build="b1")
    write_event(log, LogEvent.DOCUMENT_RENDERED, document="a.md", duration_ms=1.5, rule=None)
    (line,) = _lines(tmp_path)
    assert list(line) == ["timestamp", "level", "event", "build", "document", "duration_ms"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "event": "document.rendered",
        "build": "b1",
        "document": "a.md",
        "duration_ms": 1.5,
    }


def test_every_event_of_the_design_has_a_level() -> None:
    assert set(LOG_LEVELS) == set(LogEvent)
    assert {"document.dirty", "document.skipped"} == {event for event, level in LOG_LEVELS.items() if level == 10}


@pytest.mark.parametrize(("level", "shown"), [("debug", 3), ("info", 2), ("error", 1)])
def test_events_below_the_level_are_not_written(tmp_path: Path, opened: Open, level: str, shown: int) -> None:
    log = opened(level=level).log
    for event in (LogEvent.DOCUMENT_DIRTY, LogEvent.DOCUMENT_RENDERED, LogEvent.DOCUMENT_FAILED):
        write_event(log, event)
    assert len(_lines(tmp_path)) == shown


def test_any_value_can_be_logged(tmp_path: Path, opened: Open) -> None:
    odd = os.fsdecode(b"\xff.md")
    opened().log.info(
        "odd", path=Path("a/b"), event_kind=LogEvent.STORE_LOST, name=odd, many=("a", 1, {2: None}), obj=object
    )
    (line,) = _lines(tmp_path)
    assert (line["path"], line["event_kind"], line["name"]) == ("a/b", "store.lost", r"\xff.md")
    assert line["many"] == ["a", 1, {"2": None}]


def test_an_exception_is_logged_with_its_traceback(tmp_path: Path, opened: Open) -> None:
    log = opened().log
    log.error("broken", exc_info=ValueError("so it is"))
    assert "ValueError: so it is" in _lines(tmp_path)[0]["exception"]


# Secrets


def test_no_secret_reaches_any_line(tmp_path: Path, opened: Open, stream: Stream) -> None:
    secret = 'hush"\\\n ü'  # noqa: S105 - a mark to look for
    logging = opened(stream=stream.file, secrets=(secret, "", "hush"))
    log = logging.log.bind(url=f"ws://{secret}@db")
    log.error("it fails", nested={"deep": [secret, {"x": secret}]}, at=Path(f"/{secret}"), exc_info=ValueError(secret))
    written = stream.told(logging) + (tmp_path / FILE).read_text()
    assert "hush" not in written
    assert written.count("ws://***@db") == 2


@pytest.mark.parametrize("secret", ["info", "level", "daemon", "pid", "done", "20"])
def test_a_secret_that_is_a_word_of_the_log_s_own_breaks_no_line(
    tmp_path: Path, opened: Open, stream: Stream, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setattr(log_module, "is_journal", lambda _stream, _environ: True)
    logging = opened(stream=stream.file, secrets=(secret,))
    logging.write(LogEvent.DAEMON_STARTED, pid=1, documents={"done": f"<{secret}>"})
    (line,) = _lines(tmp_path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line.pop("timestamp"))
    assert line == {"level": "info", "event": "daemon.started", "pid": 1, "documents": {"done": "<***>"}}
    assert stream.told(logging).startswith('<6>{"timestamp"')


def test_without_secrets_nothing_is_changed(tmp_path: Path, opened: Open) -> None:
    opened(secrets=("",)).log.info("as it is", value="a***b")
    assert _lines(tmp_path)[0]["value"] == "a***b"


# What changes while it is in use


def test_another_level_format_and_file_count_from_the_next_line_on(
    tmp_path: Path, opened: Open, stream: Stream
) -> None:
    heard: list[str] = []
    logging = opened(level="error", format="json", stream=stream.file, sinks=(lambda e: heard.append(e["event"]),))
    logging.write(LogEvent.DAEMON_STARTED)
    logging.write(LogEvent.STORE_LOST)
    logging.adapt(LogTable(level="debug", format="console", file="other.jsonl"))
    logging.write(LogEvent.DOCUMENT_DIRTY)
    assert [each["event"] for each in _lines(tmp_path)] == ["store.lost"]
    assert json.loads((tmp_path / "other.jsonl").read_text())["event"] == "document.dirty"
    assert heard == ["store.lost", "document.dirty"]
    first, second = stream.told(logging).splitlines()
    assert json.loads(first)["event"] == "store.lost"
    assert "document.dirty" in second
    assert not second.startswith("{")


def test_requested_events_are_logged_at_any_level(tmp_path: Path, opened: Open) -> None:
    logging = opened(level="error")
    logging.write(LogEvent.DAEMON_STATE, state="idle")
    (line,) = _lines(tmp_path)
    assert (line["event"], line["level"]) == ("daemon.state", "info")


# The stream


@pytest.mark.parametrize(
    ("form", "terminal", "looks"),
    [
        ("auto", False, "json"),
        ("auto", True, "coloured"),
        ("json", True, "json"),
        ("console", False, "plain"),
        ("console", True, "coloured"),
    ],
)
def test_the_stream_gets_what_the_format_says(  # noqa: PLR0913 (a table's columns, and what it is tried with)
    opened: Open, stream: Stream, monkeypatch: pytest.MonkeyPatch, form: str, *, terminal: bool, looks: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    logging = opened(format=form, terminal=terminal, stream=stream.file)
    write_event(logging.log, LogEvent.DAEMON_STARTED, pid=1)
    said = stream.told(logging)
    assert said.startswith('{"timestamp":') is (looks == "json")
    assert ("\x1b[" in said) is (looks == "coloured")
    assert "daemon.started" in said


def test_no_color_is_respected(opened: Open, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    logging = opened(terminal=True, stream=stream.file)
    write_event(logging.log, LogEvent.DAEMON_STARTED)
    told = stream.told(logging)
    assert "daemon.started" in told
    assert "\x1b[" not in told


def test_a_stream_that_is_gone_does_not_stop_the_file(tmp_path: Path, opened: Open, stream: Stream) -> None:
    stream.file.close()
    write_event(opened(stream=stream.file).log, LogEvent.DAEMON_STARTED)
    assert len(_lines(tmp_path)) == 1


# The file


def test_the_file_and_its_folders_are_for_their_owner(tmp_path: Path, opened: Open) -> None:
    write_event(opened().log, LogEvent.DAEMON_STARTED)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (FILE, ".kahnd/log", ".kahnd")]
    assert modes == [0o600, 0o700, 0o700]


def test_the_file_is_rotated_and_nothing_is_lost(tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "ROTATE_BYTES", 200)
    log = opened().log
    for number in range(5):
        log.info("line", number=number)
    files = [tmp_path / f"{FILE}{end}" for end in (".3", ".2", ".1", "")]
    lines = [json.loads(line) for file in files if file.exists() for line in file.read_text().splitlines()]
    assert [line["number"] for line in lines] == list(range(5))
    assert len([file for file in files if file.exists()]) > 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in files if file.exists()} == {0o600}


def test_a_new_process_appends_to_the_same_file(tmp_path: Path, opened: Open) -> None:
    for _ in range(2):
        logging = opened()
        write_event(logging.log, LogEvent.DAEMON_STARTED)
        logging.close()
    assert len(_lines(tmp_path)) == 2


def test_a_file_that_cannot_be_written_is_reported_once(
    tmp_path: Path, opened: Open, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "ROTATE_BYTES", 1)  # so that every line opens the file
    log = opened().log

    def told(event: LogEvent) -> int:
        for _ in range(3):
            write_event(log, event)
        return capsys.readouterr().err.count("can't write the log")

    folder = tmp_path / ".kahnd"
    folder.write_text("in the way")
    assert told(LogEvent.DAEMON_STARTED) == 1
    folder.unlink()
    assert told(LogEvent.DAEMON_STOPPED) == 0
    assert [line["event"] for line in _lines(tmp_path)] == ["daemon.stopped"]
    shutil.rmtree(folder)
    folder.write_text("in the way again")
    assert told(LogEvent.DAEMON_STARTED) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_does_not_stop_anything(opened: Open, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "open_file", lambda *_, **__: os.open("/dev/full", os.O_RDWR))
    monkeypatch.setattr(log_module, "is_log", lambda _: True)
    logging = opened(stream=stream.file)
    for _ in range(3):
        write_event(logging.log, LogEvent.DAEMON_STARTED)
    told = stream.told(logging)
    assert told.count("daemon.started") == 3
    assert told.count("No space left") == 1


def test_a_log_that_is_moved_away_or_removed_is_begun_anew(tmp_path: Path, opened: Open) -> None:
    log = opened().log
    log.info("first")
    (tmp_path / FILE).rename(tmp_path / "aside")
    log.info("second")
    shutil.rmtree(tmp_path / ".kahnd")
    log.info("third")
    assert [each["event"] for each in _lines(tmp_path)] == ["third"]
    assert json.loads((tmp_path / "aside").read_text())["event"] == "first"


def test_a_log_line_does_not_recreate_a_removed_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "project"
    log = configure(LogTable(), root, terminal=False, stream=None).log
    log.info("nowhere to go")
    assert not root.exists()
    assert "can't write the log" in capsys.readouterr().err


@pytest.mark.parametrize(
    "file", ["docs/a.md", ".kahnd/outputs", "link", "folder/log", "../outside", "/outside", "pipe"]
)
def test_a_file_that_is_no_log_is_never_written_to(
    tmp_path: Path, opened: Open, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    for name in ("docs/a.md", ".kahnd/outputs", "elsewhere/log"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("precious\n")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere/log")
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    opened(file=file).log.info("one")
    assert "can't write the log" in capsys.readouterr().err
    for name in ("docs/a.md", ".kahnd/outputs", "elsewhere/log"):
        assert (tmp_path / name).read_text() == "precious\n"
    assert not (tmp_path.parent / "outside").exists()
    assert not Path("/outside").exists()


def test_a_log_is_not_rotated_over_a_foreign_file(
    tmp_path: Path, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened().log
    log.info("first")
    for number in (1, 3):
        (tmp_path / f"{FILE}.{number}").write_text("precious\n")
    monkeypatch.setattr(log_module, "ROTATE_BYTES", 1)
    again = opened().log
    again.info("second")
    again.info("third")
    assert [(tmp_path / f"{FILE}.{number}").read_text() for number in (1, 3)] == ["precious\n"] * 2
    assert [each["event"] for each in _lines(tmp_path)] == ["first", "second", "third"]
