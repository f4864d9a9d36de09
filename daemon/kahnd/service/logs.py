"""structlog, set up as a value: JSON lines to a rotated file, and coloured text or JSON lines to a stream.

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

from kahnd.config.values import LogConfig
from kahnd.core.text import plain
from kahnd.core.written import lines_of, written_out
from kahnd.own_files import NotOwnError, open_file
from kahnd.service import colours
from kahnd.service.events import ASKED_FOR, Event, tell
from kahnd.service.journal import is_journal, levelled
from kahnd.service.outlet import Outlet

ROTATE_BYTES: Final = 5_000_000
KEPT_FILES: Final = 3
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
    """What a log stays with, however it is configured."""

    root: Path
    terminal: bool
    in_journal: bool
    outlet: Outlet | None
    listeners: tuple[Sink, ...]


class Logging:
    """A logger, and what is behind it. `log` may be another one after each `adapt`."""

    def __init__(self, around: _Around, config: LogConfig, secrets: Iterable[str]) -> None:
        self._around = around
        self._secrets = tuple(secrets)
        self._config, self._file = config, self._opened(config)
        self.adapt(config)

    def adapt(self, config: LogConfig) -> None:
        """Another level, format or file from the next line on."""
        before, self._config = self._config, config
        if config.file != before.file:
            self._file.close()
            self._file = self._opened(config)
        sinks = [self._file.write, *self._to_outlet(), *self._around.listeners]
        self.log = _logger(sinks, self._secrets, config.level)
        self._whole = _logger(sinks, self._secrets, "debug")

    def tell(self, event: Event, **facts: Any) -> None:
        """Log an event at its own level; what somebody has asked for, at whatever level the log is."""
        tell(self._whole if event in ASKED_FOR else self.log, event, **facts)

    def close(self) -> None:
        """Close the file, and have written what the stream has not taken yet; the logger is not used again."""
        self._file.close()
        if self._around.outlet is not None:
            self._around.outlet.close()

    def _opened(self, config: LogConfig) -> _LogFile:
        outlet = self._around.outlet
        return _LogFile(self._around.root, config.file, outlet.put if outlet is not None else _to_stderr)

    def _to_outlet(self) -> list[Sink]:
        outlet, terminal = self._around.outlet, self._around.terminal
        if outlet is None:
            return []
        as_text = self._config.format == "console" or (self._config.format == "auto" and terminal)
        line = _console(terminal=terminal) if as_text else as_json
        render = levelled(line) if self._around.in_journal else line
        outlet.notice = partial(_left_out, render)
        return [lambda entry: outlet.put(f"{render(entry)}\n")]


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

    The stream is written to in a thread of its own. It gets text where the format says so, or is `auto` and it is a
    `terminal`; else JSON lines. In the journal each has its level. The `listeners` get each event itself.
    None of the `secrets` ever reaches a line.
    """
    outlet = Outlet(stream, partial(_left_out, as_json)) if stream is not None else None
    in_journal = stream is not None and is_journal(stream, os.environ)
    return Logging(_Around(root, terminal, in_journal, outlet, tuple(listeners)), config, secrets)


def _logger(sinks: Iterable[Sink], secrets: Iterable[str], level: str) -> FilteringBoundLogger:
    wrapper = structlog.make_filtering_bound_logger(level)
    bound: FilteringBoundLogger = structlog.wrap_logger(
        _Tee(sinks), processors=_processors(secrets), wrapper_class=wrapper
    ).bind()
    return bound


def _left_out(render: Callable[[Entry], str], lines: int) -> str:
    """A line for the stream alone, in the place of those that it did not take in time."""
    said: list[str] = []
    log = _logger([lambda entry: said.append(f"{render(entry)}\n")], (), "debug")
    tell(log, Event.LOG_LEFT_OUT, lines=lines, remedy="`kahnd logs` has them all")
    return "".join(said)


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
    """Only what JSON has; the keys that every line has come first, and those with nothing to say not at all."""
    ordered = {key: event[key] for key in _FIRST} | {key: value for key, value in event.items() if value is not None}
    plain: Entry = msgspec.to_builtins(ordered, enc_hook=str, str_keys=True)
    return plain


def _hidden(entry: Entry, secrets: tuple[str, ...]) -> Entry:
    """Without secrets; keys, and what every line has, are kahnd's own words, whatever else they may be."""
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
    """One line, without its end."""
    try:
        return msgspec.json.encode(event).decode()
    except (UnicodeEncodeError, OverflowError):  # half a character, as in a file name that is no UTF-8; a huge number
        return msgspec.json.encode(plain(event)).decode()


def _console(*, terminal: bool) -> Callable[[Entry], str]:
    shown = colours.wanted(terminal=terminal)
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=shown, sort_keys=False, exception_formatter=plain)
    return lambda event: str(renderer(None, "", {key: _shown(key, value) for key, value in event.items()}))


def _shown(key: str, value: Any) -> Any:
    """A text that steers no terminal. structlog writes out by itself what it puts into quotation marks."""
    if key == "exception":
        return "\n".join(lines_of(str(value)))
    if not isinstance(value, str) or _QUOTED & set(value):
        return value
    return written_out(value)


class _Tee:
    """What structlog calls at the end of its chain: every line to every sink."""

    def __init__(self, sinks: Iterable[Sink]) -> None:
        self._sinks = tuple(sinks)

    def msg(self, event: Entry) -> None:
        for sink in self._sinks:
            sink(event)

    debug = info = warning = error = critical = msg


class _LogFile(RotatingFileHandler):
    """The rotated file, for its owner's eyes. Tries again with every line; says once that it can't, until it can.

    Moved away or removed, it is made anew.
    """

    def __init__(self, root: Path, name: str, complain: Callable[[str], None]) -> None:
        self._root = root
        self._complain = complain
        super().__init__(root / name, maxBytes=ROTATE_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True)
        self._told = False
        self._failed = False

    def write(self, event: Entry) -> None:
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
            if os.path.samestat(os.fstat(stream.fileno()), os.lstat(self.baseFilename)):
                return stream
        with suppress(OSError):  # what it still held has nowhere to go
            stream.close()
        return None

    def handleError(self, _record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        self._failed = True
        if not self._told:
            error = sys.exc_info()[1]
            remedy = f" ({error.remedy})" if isinstance(error, NotOwnError) else ""
            self._complain(f"kahnd: can't write the log: {error}{remedy}\n")

    def close(self) -> None:
        """Close it; what could not be written until now is lost, and told as any line is."""
        try:
            super().close()
        except OSError:
            self.handleError(logging.makeLogRecord({}))

    def _open(self) -> TextIOWrapper:
        """Never through a link, and never a file that is no log: a project's file may name any in it."""
        path = _inside(self._root, self.baseFilename)
        descriptor = open_file(self._root, path, os.O_RDWR | os.O_APPEND | os.O_CREAT, make=True)
        if not is_log(descriptor):
            os.close(descriptor)
            remedy = "set log.file to another, or move it away"
            raise NotOwnError(self.baseFilename, "kahnd did not write this file", remedy)
        return os.fdopen(descriptor, "a", encoding=self.encoding)

    def doRollover(self) -> None:  # noqa: N802 (logging's name)
        """Rename the file, and remove the oldest. While another's file has such a name, the log grows instead."""
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
    """Whether a file is a log that kahnd wrote, or empty: every line of one begins with its time."""
    beginning = os.pread(descriptor, _LONGEST_BEGINNING, 0)
    return not beginning or _BEGINNING.match(beginning) is not None


def _inside(root: Path, path: str) -> str:
    """The path below `root`. Raises NotOwnError where it leads out."""
    inner = os.path.relpath(path, os.path.abspath(root))  # noqa: PTH100 - as the log's own path was made
    if inner in {".", ".."} or inner.startswith("../"):
        raise NotOwnError(path, "the log would be outside of the project", "set log.file to a path in the project")
    return inner
