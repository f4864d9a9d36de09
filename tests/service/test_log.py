"""The log's lines: what is never in them, what is always, and settings that become others."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kahnd.config.values import LogConfig
from kahnd.service.events import Event, tell
from kahnd.service.logs import Logging, configure


@contextmanager
def _log(root: Path, stream: io.StringIO, config: LogConfig, secrets: tuple[str, ...] = ()) -> Iterator[Logging]:
    log = configure(config, root, terminal=False, stream=stream, secrets=secrets)
    yield log
    log.close()


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_secret_that_is_a_word_of_the_log_hides_nothing_of_a_lines_frame(tmp_path: Path) -> None:
    stream = io.StringIO()
    with _log(tmp_path, stream, LogConfig(), secrets=("error", "document")) as log:
        tell(log.log, Event.DOCUMENT_FAILED, document="document.md", error="error: no")
    (line,) = _lines(stream)
    assert (line["level"], line["event"]) == ("error", "document.failed")
    assert (line["document"], line["error"]) == ("***.md", "***: no")


def test_what_somebody_asked_for_is_said_whatever_the_level_is(tmp_path: Path) -> None:
    stream = io.StringIO()
    with _log(tmp_path, stream, LogConfig(level="error")) as log:
        tell(log.log, Event.DAEMON_STATE, state="idle")
        tell(log.log, Event.DAEMON_STARTED, pid=1)
    assert [each["event"] for each in _lines(stream)] == ["daemon.state"]
