"""Sets up structlog: JSON lines to a rotated file, and coloured text or JSON lines to a stream.

A log that can't be written never stops the daemon.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from kahnd.config.tables import LogTable
from kahnd.core.events import ALWAYS_LOGGED, LOG_LEVELS, LogEvent
from kahnd.core.text import escape_controls, escape_lines, json_safe
from kahnd.platform.owned_files import NotOwnError, open_file
from kahnd.telemetry.text_stream import AsyncStream, shows_colours

ROTATE_BYTES: Final = 5_000_000
KEPT_FILES: Final = 3
JOURNAL_VARIABLE: Final = "JOURNAL_STREAM"
_PRIORITIES: Final[Mapping[str, int]] = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Syslog priorities, which the journal reads in front of a line: see syslog(3) and sd-daemon(3)."""
REDACTED: Final = "***"
_FIRST: Final = ("timestamp", "level", "event")
_BEGINNING: Final = re.compile(rb'\{"timestamp": ?"[0-9TZ:.-]+", ?"level": ?"[a-z]+", ?"event": ?"')
_LONGEST_BEGINNING: Final = 100
_QUOTED: Final = frozenset(" \t=\r\n\"'")
"""Any of these in a value has structlog print its `repr`."""

Entry = MutableMapping[str, Any]
Sink = Callable[[Entry], None]


@dataclass(frozen=True, slots=True)
class _Around:
    """The parts of a log that its configuration does not change."""

    root: Path
    terminal: bool
    in_journal: bool
    outlet: AsyncStream | None
    sinks: tuple[Sink, ...]


class Logging:
    """A logger and its sinks. `adapt` replaces `log`."""

    def __init__(self, around: _Around, config: LogTable, secrets: Iterable[str]) -> None:
        self._around = around
        self._secrets = tuple(secrets)
        self._config, self._file = config, self._opened(config)
        self.adapt(config)

    def adapt(self, config: LogTable) -> None:
        """Takes another level, format or file from the next line on."""
        before, self._config = self._config, config
        if config.file != before.file:
            self._file.close()
            self._file = self._opened(config)
        sinks = [self._file.write, *self._to_outlet(), *self._around.sinks]
        self.log = _logger(sinks, self._secrets, config.level)
        self._whole = _logger(sinks, self._secrets, "debug")

    def write(self, event: LogEvent, **facts: Any) -> None:
        """Logs an event at its own level; one that was asked for, at any level of the log."""
        write_event(self._whole if event in ALWAYS_LOGGED else self.log, event, **facts)

    def close(self) -> None:
        """Closes the file, and flushes the stream. The logger is not used again."""
        self._file.close()
        if self._around.outlet is not None:
            self._around.outlet.close()

    def _opened(self, config: LogTable) -> _LogFile:
        outlet = self._around.outlet
        return _LogFile(self._around.root, config.file, outlet.put if outlet is not None else _to_stderr)

    def _to_outlet(self) -> list[Sink]:
        outlet, terminal = self._around.outlet, self._around.terminal
        if outlet is None:
            return []
        as_text = self._config.format == "console" or (self._config.format == "auto" and terminal)
        line = _console(terminal=terminal) if as_text else as_json
        render = _with_priority(line) if self._around.in_journal else line
        outlet.notice = partial(_left_out, render)
        return [lambda entry: outlet.put(f"{render(entry)}\n")]


def configure(  # noqa: PLR0913 - the parts of a log
    config: LogTable,
    root: Path,
    *,
    terminal: bool,
    stream: TextIO | None = sys.stderr,
    secrets: Iterable[str] = (),
    sinks: Iterable[Sink] = (),
) -> Logging:
    """Returns a log that writes to the file and to the stream (None: to the file alone).

    The stream is written in a thread of its own. It gets text if the format says so, or is `auto` and the stream is a
    `terminal`; otherwise JSON lines. In the journal each line has its priority. The `sinks` get each event itself.
    The `secrets` are redacted from every line.
    """
    outlet = AsyncStream(stream, partial(_left_out, as_json)) if stream is not None else None
    in_journal = stream is not None and is_journal(stream, os.environ)
    return Logging(_Around(root, terminal, in_journal, outlet, tuple(sinks)), config, secrets)


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tells whether a stream goes to the journal: the environment names its device and inode (systemd.exec(5)).

    The variable alone proves nothing: a program started by a service may have its output redirected.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file, or a closed one
        return False
    return environ.get(JOURNAL_VARIABLE) == f"{status.st_dev}:{status.st_ino}"


def _with_priority(render: Callable[[Entry], str]) -> Callable[[Entry], str]:
    """Puts each line's priority in front of it, as the journal expects: see sd-daemon(3)."""
    return lambda event: f"<{_PRIORITIES[event['level']]}>{render(event)}"


def write_event(log: FilteringBoundLogger, event: LogEvent, **facts: Any) -> None:
    """Logs an event at its own level."""
    log.log(LOG_LEVELS[event], event, **facts)


def _logger(sinks: Iterable[Sink], secrets: Iterable[str], level: str) -> FilteringBoundLogger:
    wrapper = structlog.make_filtering_bound_logger(level)
    bound: FilteringBoundLogger = structlog.wrap_logger(
        _Tee(sinks), processors=_processors(secrets), wrapper_class=wrapper
    ).bind()
    return bound


def _left_out(render: Callable[[Entry], str], lines: int) -> str:
    """Returns the line that stands in the stream for lines it did not take in time."""
    lines_written: list[str] = []
    log = _logger([lambda entry: lines_written.append(f"{render(entry)}\n")], (), "debug")
    write_event(log, LogEvent.LOG_LEFT_OUT, lines=lines, remedy="`kahnd logs` has them all")
    return "".join(lines_written)


def _processors(secrets: Iterable[str]) -> list[Processor]:
    hidden = tuple(sorted(filter(None, secrets), key=len, reverse=True))
    redaction: list[Processor] = [lambda _logger, _name, event: _hidden(event, hidden)] if hidden else []
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _builtins,
        *redaction,
        lambda _logger, _name, event: ((event,), {}),
    ]


def _builtins(_logger: object, _name: str, event: Entry) -> Entry:
    """Converts values to JSON's; puts the keys of every line first, and drops those that are None."""
    ordered = {key: event[key] for key in _FIRST} | {key: value for key, value in event.items() if value is not None}
    plain: Entry = msgspec.to_builtins(ordered, enc_hook=str, str_keys=True)
    return plain


def _hidden(entry: Entry, secrets: tuple[str, ...]) -> Entry:
    """Redacts secrets. Keys, and the fields of every line, are kahnd's own words and are kept."""
    return {key: value if key in _FIRST else _redacted(value, secrets) for key, value in entry.items()}


def _redacted(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return value
    if isinstance(value, dict):
        return {key: _redacted(each, secrets) for key, each in value.items()}
    if isinstance(value, list):
        return [_redacted(each, secrets) for each in value]
    return value


def as_json(event: Mapping[str, Any]) -> str:
    """Returns the line, without a line break."""
    try:
        return msgspec.json.encode(event).decode()
    except (UnicodeEncodeError, OverflowError):  # a surrogate, as in a file name that is not UTF-8; a huge number
        return msgspec.json.encode(json_safe(event)).decode()


def _console(*, terminal: bool) -> Callable[[Entry], str]:
    shown = shows_colours(terminal=terminal)
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=shown, sort_keys=False, exception_formatter=plain)
    return lambda event: str(renderer(None, "", {key: _shown(key, value) for key, value in event.items()}))


def _shown(key: str, value: Any) -> Any:
    """Escapes control characters. structlog does so itself for values that it quotes."""
    if key == "exception":
        return "\n".join(escape_lines(str(value)))
    if not isinstance(value, str) or _QUOTED & set(value):
        return value
    return escape_controls(value)


class _Tee:
    """The end of structlog's chain: passes every line to every sink."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = tuple(sinks)

    def msg(self, event: Entry) -> None:
        for sink in self._sinks:
            sink(event)

    debug = info = warning = error = critical = msg


class _LogFile(RotatingFileHandler):
    """The rotated file, private to its owner. Every line is a new try; a failure is reported once, until one succeeds.

    A file that was moved or removed is created anew.
    """

    def __init__(self, root: Path, name: str, report_error: Callable[[str], None]) -> None:
        self._root = root
        self._report_error = report_error
        super().__init__(root / name, maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
        self._reported = False
        self._failed = False

    def write(self, event: Entry) -> None:
        """Writes a line. It makes no logging record: thousands in a build would take time."""
        self._failed = False
        line = as_json(event) + self.terminator
        try:
            self.stream = self._in_place() or self._open()
            if os.fstat(self.stream.fileno()).st_size + len(line) > self.maxBytes:
                self.doRollover()
                self.stream = self._open()
            self.stream.write(line)
            self.stream.flush()
        except (OSError, ValueError):
            self.handleError(logging.makeLogRecord({}))
        self._reported = self._failed

    def _in_place(self) -> TextIOWrapper | None:
        """Returns the open file, unless its name means another one by now, or none."""
        stream, self.stream = self.stream, None
        if stream is None:
            return None
        with suppress(OSError):
            if os.path.samestat(os.fstat(stream.fileno()), os.lstat(self.baseFilename)):
                return stream
        with suppress(OSError):  # its buffer has nowhere to go
            stream.close()
        return None

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        self._failed = True
        if not self._reported:
            error = sys.exc_info()[1]
            remedy = f" ({error.remedy})" if isinstance(error, NotOwnError) else ""
            self._report_error(f"kahnd: can't write the log: {error}{remedy}\n")

    def close(self) -> None:
        """Closes the file; a line that can't be written is reported, as any."""
        try:
            super().close()
        except OSError:
            self.handleError(logging.makeLogRecord({}))

    def _open(self) -> TextIOWrapper:
        """Opens no link, and no file that is not a log: kahnd.toml may name any file of the project."""
        path = _inside(self._root, self.baseFilename)
        descriptor = open_file(self._root, path, os.O_RDWR | os.O_APPEND | os.O_CREAT, make=True)
        if not is_log(descriptor):
            os.close(descriptor)
            remedy = "set log.file to another, or move it away"
            raise NotOwnError(self.baseFilename, "kahnd did not write this file", remedy)
        return os.fdopen(descriptor, "a", encoding=self.encoding)

    def doRollover(self) -> None:  # noqa: N802 (logging's name)
        """Rotates the files. While a foreign file has one of their names, the log grows instead."""
        older = [f"{self.baseFilename}.{number}" for number in range(1, self.backupCount + 1)]
        if all(map(self._is_free_or_log, older)):
            super().doRollover()
        elif self.stream is not None:
            self.stream.close()

    def _is_free_or_log(self, path: str) -> bool:
        try:
            descriptor = open_file(self._root, _inside(self._root, path), os.O_RDONLY)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            return is_log(descriptor)
        finally:
            os.close(descriptor)


def _to_stderr(text: str) -> None:
    with suppress(OSError, ValueError):
        print(text, end="", file=sys.stderr)  # noqa: T201


def is_log(descriptor: int) -> bool:
    """Tells whether a file is empty or a log that kahnd wrote: every line of one begins with its time."""
    beginning = os.pread(descriptor, _LONGEST_BEGINNING, 0)
    return not beginning or _BEGINNING.match(beginning) is not None


def _inside(root: Path, path: str) -> str:
    """Returns the path below `root`. Raises NotOwnError if it leads out."""
    inner = os.path.relpath(path, os.path.abspath(root))  # noqa: PTH100 - as the log's own path was made
    if inner in {".", ".."} or inner.startswith("../"):
        raise NotOwnError(path, "the log would be outside of the project", "set log.file to a path in the project")
    return inner
