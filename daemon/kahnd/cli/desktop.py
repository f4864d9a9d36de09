"""`kahnd run --notify`: the desktop is told when something fails, and when all is well again.

By D-Bus, as the Desktop Notifications Specification has it: https://specifications.freedesktop.org/notification-spec
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio

from kahnd.cli import report
from kahnd.cli.bell import Bell
from kahnd.cli.terminal import tame
from kahnd.core.problem import Problem
from kahnd.errors import UsageError
from kahnd.service.events import Event
from kahnd.service.glance import Glance, Look

PATIENCE_S: Final = 5.0
"""A desktop that takes longer is not told."""
_NAMED: Final = 3
"""So many failures are named in one notification."""
_SERVICE: Final = "org.freedesktop.Notifications"
_OBJECT: Final = "/org/freedesktop/Notifications"
_NORMAL: Final = ("y", 1)
_AS_THE_DESKTOP_LIKES: Final = -1

Wrongs = Mapping[str, str]
"""What is wrong, by document: its words."""


class Desktop:
    """Fulfils glance.Onlooker: one notification for all that a build breaks, or mends, in the place of the one before.

    Raises UsageError where the package that speaks D-Bus is not installed.
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
        self._bell = Bell()
        self._last = 0
        self._failing = False

    def told(self, event: str, _fields: Mapping[str, Any]) -> None:
        """Whatever happened may have ended a build."""
        if event != Event.NOTIFY_FAILED:
            self._bell.ring()

    async def follow(self, look: Look, say: Callable[..., None]) -> None:
        """Compare what is wrong whenever all is quiet."""
        before: Wrongs = {}
        while True:
            self._bell.listen()
            now = look()
            if now.counts and not now.busy:
                wrong = wrongs(now)
                if told := news(before, wrong):
                    await self._send(*told, say)
                before = wrong
            await self._bell.heard()

    def close(self) -> None:
        """Nothing is left open: each notification has a connection of its own."""

    async def _send(self, title: str, text: str, say: Callable[..., None]) -> None:
        """A desktop that can't be told is told of in the log, once until it can."""
        problem = ""
        try:
            with anyio.fail_after(PATIENCE_S):
                self._last = await self._notify(tame(f"{self._project}: {title}"), html.escape(text, quote=False))
        except TimeoutError:
            problem = f"the desktop did not answer in {PATIENCE_S:.0f} s"
        except Exception as error:  # noqa: BLE001 (whatever a bus or a desktop answers with: the daemon goes on)
            problem = str(error) or type(error).__name__
        if problem and not self._failing:
            say(Event.NOTIFY_FAILED, error=problem, remedy="is a desktop running, with DBUS_SESSION_BUS_ADDRESS set?")
        self._failing = bool(problem)

    async def _notify(self, title: str, markup: str) -> int:
        """The notification's number, by which the next one takes its place."""
        address = self._dbus.DBusAddress(_OBJECT, _SERVICE, _SERVICE)
        words: tuple[Any, ...] = (
            "kahnd",
            self._last,
            "",
            title,
            markup,
            [],
            {"urgency": _NORMAL},
            _AS_THE_DESKTOP_LIKES,
        )
        async with self._bus() as bus:
            call = self._dbus.new_method_call(address, "Notify", "susssasa{sv}i", words)
            answer = await bus.send_and_get_reply(call)
            return int(self._dbus.wrappers.unwrap_msg(answer)[0])


def wrongs(now: Glance) -> Wrongs:
    """What is wrong at rest, all of it; a mistake in the project's own file counts too.

    Of those that are not told one by one there is only the name.
    """
    documents: dict[str, str] = {each: each for each in now.broken}
    documents |= {
        each.document: report.failure({"document": each.document, "error": str(each.problem)}) for each in now.wrong
    }
    return documents | {f"{each.file}:{each.line}": str(each) for each in now.mistakes}


def news(before: Wrongs, now: Wrongs) -> tuple[str, str] | None:
    """Title and text of what is to be told: new failures, or that none is left; of what is as it was, nothing."""
    fresh = [words for name, words in now.items() if name not in before]
    if fresh:
        named = [tame(" ".join(words.split())) for words in fresh[:_NAMED]]
        more = [f"and {len(fresh) - _NAMED} more"] if len(fresh) > _NAMED else []
        return f"{report.counted(len(fresh), 'document')} failed", "\n".join([*named, *more])
    if before and not now:
        return "mended", f"{report.counted(len(before), 'document')} that failed are well again"
    return None
