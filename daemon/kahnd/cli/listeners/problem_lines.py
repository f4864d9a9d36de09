"""`kahnd run --problems`: prints problems for editors that run it in the background.

A line says that rendering begins, and another one that it ended. Between them are all current problems and warnings,
not only those of the last build, because an editor forgets the earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from kahnd.app.status import StatusSnapshot, TakeSnapshot
from kahnd.cli import report
from kahnd.cli.listeners.terminal_writer import WakeUp
from kahnd.cli.output import problem_line, problem_lines
from kahnd.core.events import LogEvent
from kahnd.core.problem import Problem
from kahnd.core.text import escape_controls
from kahnd.telemetry.text_stream import AsyncStream


class ProblemLines:
    """A DaemonListener that prints the problems after each build."""

    def __init__(self, root: Path, stream: TextIO) -> None:
        self._root = root
        self._stream = AsyncStream(stream, lambda lines: f"kahnd: {report.counted(lines, 'line')} left out here\n")
        self._wake_up = WakeUp()
        self._cause: str | None = "start"

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Notes the cause when a build begins or `kahnd.toml` changes."""
        if event in {LogEvent.BUILD_STARTED, LogEvent.CONFIG_INVALID, LogEvent.CONFIG_RELOADED}:
            self._cause = self._cause or str(fields.get("cause") or "kahnd.toml changed")
        self._wake_up.set()

    async def follow(self, look: TakeSnapshot, _log: Callable[..., None]) -> None:
        """Prints a line when rendering begins, and all problems once the daemon is idle."""
        announced = False
        while True:
            self._wake_up.clear()
            now = look()
            if self._cause and not announced:
                announced = True
                self._write([f"kahnd: rendering ({escape_controls(self._cause)})"])
            if announced and now.counts and not now.busy:
                announced, self._cause = False, None
                self._write(problems_of(self._root, now))
            await self._wake_up.wait()

    def close(self) -> None:
        """Closes the stream; pending lines are still written."""
        self._stream.close()

    def _write(self, lines: Sequence[str]) -> None:
        self._stream.put("".join(f"{line}\n" for line in lines))


def problems_of(root: Path, now: StatusSnapshot) -> list[str]:
    """Returns the lines of all current problems and of the first warnings, and the line that ends them."""
    failed = [_entry(each.document, each.problem) for each in now.problems if each.because is None]
    blocked = [
        {**_entry(each.document, each.problem), "because": each.because} for each in now.problems if each.because
    ]
    warnings = [_entry(each.document, each.problem) for each in now.warnings]
    lines = [
        *(problem_line(root, each) for each in now.config_problems),
        *problem_lines(root, {"failed": failed, "blocked": blocked, "warnings": warnings}),
    ]
    count = len(now.config_problems) + now.counts["failed"] + now.counts["blocked"]
    warned = f", {report.counted(now.warned, 'warning')}" if now.warned else ""
    if len(now.warnings) < now.warned:
        warned += f" (these are the first {len(now.warnings)})"
    return [*lines, f"kahnd: at rest, {report.counted(count, 'problem')}{warned}"]


def _entry(document: str, problem: Problem) -> dict[str, Any]:
    places = {"file": problem.file, "line": problem.line, "column": problem.column}
    return {
        "document": document,
        **places,
        "message": problem.message,
        "remedy": problem.remedy,
        "output": problem.detail,
    }
