"""Tell of problems while the daemon runs: lines for editors (`--problems`), notifications of the desktop (`--notify`).

For editors, a line says that rendering begins, and another one that it ended. Between them are all current problems and
warnings, not only those of the last build, because an editor forgets the earlier ones. The desktop is told by D-Bus, by
the Desktop Notifications Specification: https://specifications.freedesktop.org/notification-spec
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import anyio

from kahnd.app.daemon_view import DaemonView, WakeUp
from kahnd.app.status import StatusSnapshot
from kahnd.cli import report
from kahnd.cli.output import problem_line, problem_lines
from kahnd.core.events import LogEvent
from kahnd.core.problem import Problem
from kahnd.core.text import escape_controls
from kahnd.errors import UsageError
from kahnd.telemetry.text_stream import AsyncStream

TIMEOUT_S: Final = 5.0
"""How long the desktop may take to answer."""
_MAX_NAMED: Final = 3
"""How many failures one notification names."""
_SERVICE: Final = "org.freedesktop.Notifications"
_OBJECT: Final = "/org/freedesktop/Notifications"
_NORMAL: Final = ("y", 1)
_DEFAULT_EXPIRY: Final = -1

Failures = Mapping[str, str]
"""Messages of failures by document."""


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

    async def follow(self, view: DaemonView) -> None:
        """Prints a line when rendering begins, and all problems once the daemon is idle."""
        announced = False
        while True:
            self._wake_up.clear()
            now = view.take()
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


class Desktop:
    """A DaemonListener that shows one notification for everything that a build breaks or fixes, replacing the last one.

    Raises UsageError if the package for D-Bus is not installed.
    """

    def __init__(self, project: str) -> None:
        try:
            import jeepney  # noqa: PLC0415 (an extra)
            from jeepney.io.asyncio import open_dbus_router  # noqa: PLC0415
        except ImportError:
            message = "--notify needs a package that is not installed: jeepney"
            raise UsageError(Problem(message, remedy="pip install 'kahnd[notify]'")) from None
        self._dbus, self._bus = jeepney, open_dbus_router
        self._project = project
        self._wake_up = WakeUp()
        self._notification = 0
        self._failing = False

    def on_event(self, event: str, _fields: Mapping[str, Any]) -> None:
        """Looks again: any event may have ended a build."""
        if event != LogEvent.NOTIFY_FAILED:
            self._wake_up.set()

    async def follow(self, view: DaemonView) -> None:
        """Compares the failures whenever the daemon is idle."""
        before: Failures = {}
        while True:
            self._wake_up.clear()
            now = view.take()
            if now.counts and not now.busy:
                failures_now = failures(now)
                if message := news(before, failures_now):
                    await self._send(*message, view.log)
                before = failures_now
            await self._wake_up.wait()

    def close(self) -> None:
        """Nothing to close: each notification has a connection of its own."""

    async def _send(self, title: str, text: str, log: Callable[..., None]) -> None:
        """Shows a notification. If that fails, logs it once until it works again."""
        problem = ""
        try:
            with anyio.fail_after(TIMEOUT_S):
                self._notification = await self._notify(
                    escape_controls(f"{self._project}: {title}"), html.escape(text, quote=False)
                )
        except TimeoutError:
            problem = f"the desktop did not answer in {TIMEOUT_S:.0f} s"
        except Exception as error:  # noqa: BLE001 (no error of the bus may end the daemon)
            problem = str(error) or type(error).__name__
        if problem and not self._failing:
            log(
                LogEvent.NOTIFY_FAILED, error=problem, remedy="is a desktop running, with DBUS_SESSION_BUS_ADDRESS set?"
            )
        self._failing = bool(problem)

    async def _notify(self, title: str, markup: str) -> int:
        """Shows the notification. Returns its id, by which the next one replaces it."""
        address = self._dbus.DBusAddress(_OBJECT, _SERVICE, _SERVICE)
        arguments: tuple[Any, ...] = (
            "kahnd",
            self._notification,
            "",
            title,
            markup,
            [],
            {"urgency": _NORMAL},
            _DEFAULT_EXPIRY,
        )
        async with self._bus() as bus:
            call = self._dbus.new_method_call(address, "Notify", "susssasa{sv}i", arguments)
            answer = await bus.send_and_get_reply(call)
            return int(self._dbus.wrappers.unwrap_msg(answer)[0])


def failures(now: StatusSnapshot) -> Failures:
    """Returns all current failures, mistakes in `kahnd.toml` included.

    Of those without details in the snapshot it has only the names.
    """
    documents: dict[str, str] = {each: each for each in now.broken}
    documents |= {
        each.document: report.failure(report.Failure(each.document, str(each.problem))) for each in now.problems
    }
    return documents | {f"{each.file}:{each.line}": str(each) for each in now.config_problems}


def news(before: Failures, now: Failures) -> tuple[str, str] | None:
    """Returns title and text of a notification: for new failures, or if none is left. None if nothing changed."""
    fresh = [words for name, words in now.items() if name not in before]
    if fresh:
        named = [escape_controls(" ".join(words.split())) for words in fresh[:_MAX_NAMED]]
        more = [f"and {len(fresh) - _MAX_NAMED} more"] if len(fresh) > _MAX_NAMED else []
        return f"{report.counted(len(fresh), 'document')} failed", "\n".join([*named, *more])
    if before and not now:
        return "mended", f"{report.counted(len(before), 'document')} that failed are well again"
    return None
