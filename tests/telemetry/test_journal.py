"""Lines bear their level where the journal takes them, and nowhere else."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from kahnd.config.tables import LogTable
from kahnd.core.events import LogEvent
from kahnd.telemetry.log import JOURNAL_VARIABLE, configure, is_journal, write_event


def _told(root: Path) -> list[str]:
    """Returns the lines that a stream gets, one of each level."""
    with (root / "stderr").open("w+") as stream:
        logging = configure(LogTable(level="debug"), root, terminal=False, stream=stream)
        for event in (
            LogEvent.DOCUMENT_DIRTY,
            LogEvent.DOCUMENT_RENDERED,
            LogEvent.OUTPUT_STUCK,
            LogEvent.DOCUMENT_FAILED,
        ):
            write_event(logging.log, event)
        logging.close()
        stream.seek(0)
        return stream.read().splitlines()


def _name(root: Path) -> str:
    (root / "stderr").touch()
    found = (root / "stderr").stat()
    return f"{found.st_dev}:{found.st_ino}"


def test_lines_for_the_journal_bear_their_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOURNAL_VARIABLE, _name(tmp_path))
    told = _told(tmp_path)
    assert [line[:3] for line in told] == ["<7>", "<6>", "<4>", "<3>"]
    assert [json.loads(line[3:])["level"] for line in told] == ["debug", "info", "warning", "error"]
    assert [json.loads(line) for line in (tmp_path / ".kahnd/log/kahnd.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("other", ["", "1:2", "not this"])
def test_other_lines_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str) -> None:
    monkeypatch.setenv(JOURNAL_VARIABLE, other)
    assert [json.loads(line)["level"] for line in _told(tmp_path)] == ["debug", "info", "warning", "error"]


def test_what_is_no_file_is_no_journal() -> None:
    assert not is_journal(io.StringIO(), {JOURNAL_VARIABLE: "0:0"})
    with Path(os.devnull).open() as closed:
        pass
    assert not is_journal(closed, {JOURNAL_VARIABLE: "0:0"})
