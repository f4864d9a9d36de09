"""`kahnd run --notify`: the desktop is told when something fails, and when all is well again."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import anyio

from kahnd.cli import report
from kahnd.cli.bell import Bell
from kahnd.cli.terminal import tame
from kahnd.core.model import Problem
from kahnd.errors import UsageError
from kahnd.service.events import Event
from kahnd.service.glance import Glance, Look

PATIENCE_S: Final = 5.0
"""A desktop that takes longer is not told."""
_NAMED: Final = 3
"""So many failures are named in one notification."""

Wrongs = Mapping[str, str]
"""What is wrong, by document: its words."""


class Desktop:
    """Fulfils glance.Onlooker: one notification for all that a build breaks, or mends.

    Raises UsageError where there is no way to tell a desktop.
    """

    def __init__(self, project: str) -> None:
        try:
            notifier: Any = import_module("desktop_notifier")
        except ImportError:
            message = "--notify needs a package that is not installed: desktop-notifier"
            raise UsageError(Problem(message, remedy="pip install 'kahnd[notify]'")) from None
        self._project = project
        self._sender = notifier.DesktopNotifier(app_name="kahnd", app_icon=None)
        self._bell = Bell()
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
        """Nothing is left open: the connection ends with the loop."""

    async def _send(self, title: str, text: str, say: Callable[..., None]) -> None:
        """A desktop that can't be told is told of in the log, once until it can."""
        problem = ""
        try:
            with anyio.fail_after(PATIENCE_S):
                await self._sender.send(title=f"{self._project}: {title}", message=_literal(text))
        except TimeoutError:
            problem = f"the desktop did not answer in {PATIENCE_S:.0f} s"
        except Exception as error:  # noqa: BLE001 (whatever a desktop's service answers with: the daemon goes on)
            problem = str(error) or type(error).__name__
        if problem and not self._failing:
            say(Event.NOTIFY_FAILED, error=problem, remedy="is a desktop running, with DBUS_SESSION_BUS_ADDRESS set?")
        self._failing = bool(problem)


def _literal(text: str) -> str:
    """As text, where a desktop would take it for markup (the Desktop Notifications Specification, "Markup")."""
    return text if sys.platform == "darwin" else html.escape(text, quote=False)


def wrongs(now: Glance) -> Wrongs:
    """What is wrong at rest; a file of the project's own counts too."""
    documents = {
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
