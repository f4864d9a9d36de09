"""The context that every part of the web face is given, and the headers that its answers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from kahnd.app.daemon_view import DaemonView

HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "kahnd",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every answer that has no others of these names. None of them lets another origin read anything."""
OWN_PAGES: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The content security policy of kahnd's own pages; those of the project may do what they like."""
POLICY: Final = "Content-Security-Policy"
BODY_BYTES: Final = 1 << 16
"""The largest body of a request."""
BODY_S: Final = 10.0
"""How long a request's body may take to arrive."""
STUCK_S: Final = 30.0
"""A client that reads nothing for so long is disconnected."""
OWN: Final = "/_kahnd"
"""The address below which everything is kahnd's own."""

Hearer = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class WebContext:
    """The daemon, and how its pages prove that they are its own.

    `daemon` and `token` are random, and new with each start. `hear` has a callback hear of every event, as
    `DaemonListener.on_event` does: whatever the log's level, and on any thread.
    """

    view: DaemonView
    daemon: str
    token: str
    hear: Callable[[Hearer], None]

    @property
    def editor(self) -> str:
        """The address that opens `{path}` in an editor at `{line}` and `{column}`; empty if there is none."""
        return self.view.configured().config.serve.editor


def plain(status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Returns an answer of one line of text."""
    return web.Response(status=status, text=f"{text}\n", headers=headers, content_type="text/plain", charset="utf-8")
