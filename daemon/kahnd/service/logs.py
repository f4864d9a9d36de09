"""structlog, set up as a value: JSON lines to a rotated file, and coloured text or JSON lines to a stream.

A log that can't be written never stops the daemon.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from kahnd.config.values import Config, LogConfig
from kahnd.service import colours
from kahnd.service.journal import is_journal, levelled

ROTATE_BYTES: Final = 5_000_000
KEPT_FILES: Final = 3
REDACTED: Final = "***"
_FIRST: Final = ("timestamp", "level", "event")

Event = MutableMapping[str, Any]
Sink = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Logging:
    """A logger, and the file behind it."""

    log: FilteringBoundLogger
    _file: _LogFile

    def close(self) -> None:
        """Close the file; the logger is not used again."""
        self._file.close()


class LiveLog:
    """A log whose settings may become others while it is written."""

    def __init__(self, make: Callable[[Config], Logging], config: Config) -> None:
        self._make = make
        self._now = make(config)

    @property
    def log(self) -> FilteringBoundLogger:
        """The logger of the moment."""
        return self._now.log

    def become(self, config: Config) -> None:
        """Be as this says from the next line on."""
        before, self._now = self._now, self._make(config)
        before.close()

    def close(self) -> None:
        """Close it for good."""
        self._now.close()


def configure(  # noqa: PLR0913 (what a log is made of)
    config: LogConfig,
    root: Path,
    *,
    terminal: bool,
    stream: TextIO | None = sys.stderr,
    secrets: Iterable[str] = (),
    listeners: Iterable[Sink] = (),
) -> Logging:
    """A logger to be passed on, that writes to the file and to the stream (None: to the file alone).

    The stream gets text where the format says so, or is `auto` and it is a `terminal`; else JSON lines. In the journal
    each has its level. The `listeners` get each event itself.
    None of the `secrets` ever reaches a line.
    """
    file = _LogFile(root, config.file)
    sinks: list[Sink] = [file.write]
    if stream is not None:
        as_text = config.format == "console" or (config.format == "auto" and terminal)
        line = _console(terminal=terminal) if as_text else as_json
        sinks.append(_to_stream(stream, levelled(line) if is_journal(stream, os.environ) else line))
    sinks += listeners
    wrapper = structlog.make_filtering_bound_logger(config.level)
    log = structlog.wrap_logger(_Tee(sinks), processors=_processors(secrets), wrapper_class=wrapper).bind()
    return Logging(log, file)


def _processors(secrets: Iterable[str]) -> list[Processor]:
    hidden = tuple(sorted(filter(None, secrets), key=len, reverse=True))
    redaction: list[Processor] = [lambda _logger, _name, event: _without(hidden, event)] if hidden else []
    return [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _builtins,
        *redaction,
        lambda _logger, _name, event: ((event,), {}),
    ]


def _builtins(_logger: object, _name: str, event: Event) -> Event:
    """Only what JSON has; the keys that every line has come first, and those with nothing to say not at all."""
    ordered = {key: event[key] for key in _FIRST} | {key: value for key, value in event.items() if value is not None}
    plain: Event = msgspec.to_builtins(ordered, enc_hook=str, str_keys=True)
    return plain


def _without(secrets: tuple[str, ...], event: Event) -> Event:
    """What kahnd itself words is no secret, whatever the secret is: keys, and what every line begins with."""
    return {key: value if key in _FIRST else _redacted(value, secrets) for key, value in event.items()}


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
    """One line, without its end."""
    try:
        return msgspec.json.encode(event).decode()
    except UnicodeEncodeError:  # half a character, as in a file name that is no UTF-8
        return json.dumps(event)


def _console(*, terminal: bool) -> Callable[[Event], str]:
    shown = colours.wanted(terminal=terminal)
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=shown, sort_keys=False, exception_formatter=plain)
    return lambda event: str(renderer(None, "", dict(event)))


def _to_stream(stream: TextIO, render: Callable[[Event], str]) -> Sink:
    def sink(event: Event) -> None:
        with suppress(OSError, ValueError):  # a terminal that has gone can't be told so, and the file has the line
            stream.write(f"{render(event)}\n")
            stream.flush()

    return sink


class _Tee:
    """What structlog calls at the end of its chain: every line to every sink."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = tuple(sinks)

    def msg(self, event: Event) -> None:
        for sink in self._sinks:
            sink(event)

    debug = info = warning = error = critical = msg


class _LogFile(RotatingFileHandler):
    """The rotated file, for its owner's eyes. Tries again with every line; says once that it can't, until it can.

    Moved away or removed, it is made anew.
    """

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        super().__init__(root / name, maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
        self._told = False
        self._failed = False

    def write(self, event: Event) -> None:
        """A line, whole; not by way of a logging record, of which thousands in a build take their time."""
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
        self._told = self._failed

    def _in_place(self) -> TextIOWrapper | None:
        """The open file, unless its name means another by now, or none."""
        stream, self.stream = self.stream, None
        if stream is None:
            return None
        with suppress(OSError):
            if os.path.samestat(os.fstat(stream.fileno()), os.stat(self.baseFilename)):  # noqa: PTH116
                return stream
        with suppress(OSError):  # what it still held has nowhere to go
            stream.close()
        return None

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        self._failed = True
        if not self._told:
            with suppress(OSError, ValueError):
                print(f"kahnd: can't write the log: {sys.exc_info()[1]}", file=sys.stderr)  # noqa: T201

    def close(self) -> None:
        """Close it; what could not be written until now is lost, and told as any line is."""
        try:
            super().close()
        except OSError:
            self.handleError(logging.makeLogRecord({}))

    def _open(self) -> TextIOWrapper:
        path = Path(self.baseFilename)
        self._root.stat()  # a project that was removed is not made again by a line about it
        _make_private(path.parent)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "a", encoding=self.encoding)


def _make_private(folder: Path) -> None:
    """Make the folder and those above it, for their owner alone where they were not there."""
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
