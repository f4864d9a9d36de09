"""`kahnd run` on a terminal: lines for finished builds, and a block with running renders and current failures."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TextIO

import anyio
from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kahnd.app.daemon_view import DaemonView, WakeUp
from kahnd.app.status import ActiveRender, DocumentProblem, StatusSnapshot
from kahnd.cli import report
from kahnd.cli.listeners.terminal_writer import REFRESH_S, TerminalWriter
from kahnd.core.events import LOG_LEVELS, LogEvent
from kahnd.core.model import DocumentId
from kahnd.core.text import escape_controls

_FIXING: Final = frozenset({LogEvent.DOCUMENT_RENDERED, LogEvent.DOCUMENT_SKIPPED, LogEvent.DOCUMENT_REMOVED})
_BAR: Final = 24
_MAX_RUNNING: Final = 8
"""How many renders are shown, the longest-running first."""
_MAX_DETAIL: Final = 6
"""How many lines of a program's output are shown for each failure."""
_MAX_WRAPPED: Final = 5
"""How many lines a message may take."""
_MAX_WARNINGS: Final = 5
"""How many entries of warnings are shown."""
_STYLES: Final = {"idle": "green", "rendering": "cyan", "scanning": "cyan", "degraded": "yellow"}
_COUNTS: Final = {"done": "green", "dirty": "yellow", "failed": "red", "blocked": "yellow", "missing": "red"}
_HIDDEN: Final = frozenset(
    {
        LogEvent.BUILD_STARTED,
        LogEvent.WATCH_BATCH,
        LogEvent.SCAN_FINISHED,
        LogEvent.CYCLE_FOUND,
        LogEvent.CONFIG_INVALID,
        LogEvent.SERVE_STARTED,
    }
)
_LABEL: Final = 10
"""The width of the longest label of a line in the block, and a space."""
_WARNING: Final = 30
_ERROR: Final = 40


def past(event: str, fields: Mapping[str, Any], moment: str) -> Text | None:
    """Returns a line for a finished build or an event of the daemon itself. None for other events.

    Results of documents and mistakes in the configuration are in the block, or in a build's line.
    """
    name = LogEvent(event)
    if name is LogEvent.DAEMON_STARTED:
        greeting = f"{fields['project']}: outputs are in {fields['output']}/; press Ctrl-C to stop"
        return Text.assemble((moment, "dim"), "  ", escape_controls(greeting))
    if name is LogEvent.BUILD_FINISHED:
        bad = bool(fields["failed"] or fields["blocked"])
        return Text.assemble((moment, "dim"), "  ", (report.last_build(fields), "red" if bad else ""))
    if name in _HIDDEN or (name.startswith("document.") and name is not LogEvent.DOCUMENT_UNNAMED):
        return None
    level = LOG_LEVELS[name]
    style = "red" if level >= _ERROR else "yellow" if level >= _WARNING else ""
    words = [name, *(f"{key}={value}" for key, value in fields.items() if value is not None)]
    return Text.assemble((moment, "dim"), "  ", (escape_controls("  ".join(words)), style))


def block(now: StatusSnapshot, console: Console, height: int) -> RenderableType:
    """Returns the head, running renders, failures and warnings, in at most `height` lines of the console."""
    failed = _wrong_lines(now.problems, console, is_cut=len(now.problems) < len(now.broken))
    lines = [*_faults(now, console), *failed, *_warning_lines(now, console)]
    running = list(_running(now.build.running, max(height // 3, 1)))
    preview = [_line(Text("  preview  ", "dim"), Text(escape_controls(now.serve.url)))] if now.serve.url else []
    room = height - 1 - len(preview) - len(running)
    if len(lines) > room:
        lines = [*lines[: max(room - 1, 0)], _more(len(lines) - max(room - 1, 0), "lines: `kahnd status` tells all")]
    return Group(_head(now), *preview, *running, *lines[:room])


def _head(now: StatusSnapshot) -> RenderableType:
    state = "rendering" if now.build.cause and now.state == "idle" else now.state
    name = Text(state, style=_STYLES.get(state, ""))
    if now.state == "scanning":
        return _line(name, "  looking at everything")
    if not now.build.cause:
        return _line(name, "  ", *_counts(now.counts), *_warned_count(now.warned))
    head = Table.grid(padding=(0, 2, 0, 0))
    head.add_column(no_wrap=True)
    head.add_column(width=_BAR)
    head.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(total=max(now.build.total, 1), completed=now.build.done, width=_BAR)
    head.add_row(_line(name, f" {now.build.done}/{now.build.total}"), bar, Text(escape_controls(now.build.cause)))
    return head


def _counts(counts: Mapping[str, int]) -> Iterator[Text | str]:
    yield report.counted(sum(counts.values()), "document")
    for number, (name, style) in enumerate(each for each in _COUNTS.items() if counts.get(each[0])):
        yield ", " if number else ": "
        yield Text(f"{counts[name]} {name}", style=style)


def _warned_count(number: int) -> Iterator[Text | str]:
    if number:
        yield ", "
        yield Text(report.counted(number, "warning"), style="yellow")


def _running(running: tuple[ActiveRender, ...], room: int) -> Iterator[Text]:
    longest = sorted(running, key=lambda each: -each.seconds)
    most = min(_MAX_RUNNING, room)
    shown = longest if len(longest) <= most else longest[: most - 1]
    for each in shown:
        yield _line(
            f"  generation {each.generation}  {escape_controls(each.document)}  ", Text(f"{each.seconds:.1f} s", "cyan")
        )
    if len(shown) < len(longest):
        yield _more(len(longest) - len(shown), "being rendered")


def _faults(now: StatusSnapshot, console: Console) -> Iterator[Text]:
    """Yields lines for problems of the daemon itself."""
    if now.trouble:
        yield from _wrapped(_label("daemon", "yellow"), escape_controls(now.trouble), console)
    if now.watch.unwatched:
        yield from _wrapped(_label("unwatched", "yellow"), escape_controls(", ".join(now.watch.unwatched)), console)
    for each in now.config_problems:
        yield from _wrapped(_label("config", "red"), escape_controls(str(each)), console)


def _wrong_lines(wrong: tuple[DocumentProblem, ...], console: Console, *, is_cut: bool) -> Iterator[Text]:
    blocked = [each for each in wrong if each.because]
    failed = [each for each in wrong if not each.because]
    for label, entries in ((_label("failed", "red"), failed), (_label("blocked", "yellow"), blocked)):
        for text in report.failures(map(_entry, entries), is_cut=is_cut):
            first, *below = text.splitlines()
            yield from _wrapped(label, first, console)
            shown = below if len(below) <= _MAX_DETAIL else [*below[: _MAX_DETAIL - 1], below[-1]]
            yield from (_line(Text(line, "dim")) for line in shown)


def _warning_lines(now: StatusSnapshot, console: Console) -> Iterator[Text]:
    shown = list(report.failures(map(_entry, now.warnings), is_cut=len(now.warnings) < now.warned))
    for text in shown[:_MAX_WARNINGS]:
        first, *below = text.splitlines()
        yield from _wrapped(_label("warning", "yellow"), first, console)
        yield from (_line(Text(line, "dim")) for line in below)
    if len(shown) > _MAX_WARNINGS:
        yield _more(len(shown) - _MAX_WARNINGS, "warnings: `kahnd status` tells more")


def _entry(wrong: DocumentProblem) -> report.Failure:
    problem = wrong.problem
    return report.Failure(wrong.document, str(problem), problem.detail, wrong.because, problem.file)


def _label(word: str, style: str) -> Text:
    return Text(word.ljust(_LABEL), style)


def _wrapped(label: Text, message: str, console: Console) -> Iterator[Text]:
    """Yields a message over several lines, of which the first has the label."""
    width = max(console.width - _LABEL, _LABEL)
    pieces = Text(message).wrap(console, width)
    shown = list(pieces[:_MAX_WRAPPED])
    if len(shown) < len(pieces):
        shown[-1].truncate(width - 1)
        shown[-1].append("…")
    for number, piece in enumerate(shown):
        yield _line(Text(" " * _LABEL) if number else label, piece)


def _more(count: int, what: str) -> Text:
    return _line(Text(f"  and {count} more {what}", "dim"))


def _line(*parts: str | Text) -> Text:
    """Returns a line that is truncated at the terminal's width."""
    line = Text.assemble(*parts)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


class Live:
    """A DaemonListener that draws the live view: ten times a second while the daemon is busy, otherwise not at all."""

    def __init__(self, stream: TextIO) -> None:
        # A stream of its own: a stuck terminal holds the stream's lock, and Python waits for that of stderr at exit.
        own = open(os.dup(stream.fileno()), "w", encoding=stream.encoding, errors="backslashreplace")  # noqa: PTH123, SIM115
        self._screen: TerminalWriter[StatusSnapshot] = TerminalWriter(own, block)
        self._wake_up = WakeUp()
        self._fixed: set[DocumentId] = set()

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Prints a line for the event, if it has one, and looks again."""
        line = past(event, fields, f"{datetime.now().astimezone():%H:%M:%S}")
        if line is not None:
            self._screen.print_above(line)
        if event in _FIXING and fields.get("document"):
            self._fixed.add(fields["document"])
        self._wake_up.set()

    async def follow(self, view: DaemonView) -> None:
        """Draws each snapshot that differs from the last one."""
        last = StatusSnapshot("scanning")
        with self._resized():
            while True:
                self._wake_up.clear()
                last = self._kept(view.take(), last)
                self._screen.show(last)
                await anyio.sleep(REFRESH_S)
                if not last.busy:
                    await self._wake_up.wait()

    def close(self) -> None:
        """Leaves the terminal."""
        self._screen.close()

    def _kept(self, now: StatusSnapshot, last: StatusSnapshot) -> StatusSnapshot:
        """Keeps failures until they are fixed, also while they are rendered again and between two sessions."""
        fixed, self._fixed = self._fixed, set()
        if not now.counts:
            kept = replace(now, counts=last.counts, problems=last.problems)
            return replace(kept, warnings=last.warnings, warned=last.warned)
        if not now.busy:
            return now
        known = {each.document for each in now.problems} | fixed
        return replace(now, problems=(*now.problems, *(each for each in last.problems if each.document not in known)))

    @contextmanager
    def _resized(self) -> Iterator[None]:
        """Redraws when the terminal's size changes."""
        before = signal.signal(signal.SIGWINCH, lambda *_: self._screen.wake())
        try:
            yield
        finally:
            signal.signal(signal.SIGWINCH, before)
