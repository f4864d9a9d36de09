"""The web face as a listener of the daemon: it serves while the configuration wants it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from kahnd.app.daemon_view import DaemonView, WakeUp
from kahnd.core.events import LogEvent
from kahnd.web.context import Hearer, WebContext

if TYPE_CHECKING:
    from kahnd.web.server import WebServer


class WebFace:
    """A DaemonListener that shows the project to browsers, at the place that `[serve]` names."""

    def __init__(self) -> None:
        self._reloaded = WakeUp()
        self._hearers: list[Hearer] = []
        self._daemon = secrets.token_urlsafe(9)
        self._token = secrets.token_urlsafe(24)

    def on_event(self, event: str, fields: Mapping[str, Any]) -> None:
        """Tells the parts of the web face, and looks at the configuration when it was read again."""
        for each in self._hearers:
            each(event, fields)
        if event == LogEvent.CONFIG_RELOADED:
            self._reloaded.set()

    async def follow(self, view: DaemonView) -> None:
        """Serves as `[serve]` says until cancelled."""
        server: WebServer | None = None
        context = WebContext(view, self._daemon, self._token, self._hearers.append)
        try:
            while True:
                self._reloaded.clear()
                project = view.configured()
                if server is None and project.config.serve.enabled:
                    server = (await anyio.to_thread.run_sync(_imported))(context)
                    await server.start()
                if server:
                    await server.place(project.root)
                await self._reloaded.wait()
        finally:
            if server:
                with anyio.CancelScope(shield=True):
                    await server.stop()

    def close(self) -> None:
        """Nothing is left to close: `follow` has stopped the server."""


def _imported() -> type[WebServer]:
    """Imports the server in a thread: the first session starts meanwhile."""
    from kahnd.web.server import WebServer  # noqa: PLC0415

    return WebServer
