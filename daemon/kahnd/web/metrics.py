"""Answers `GET /_kahnd/metrics`."""

from __future__ import annotations

from typing import Final

import anyio.to_thread
from aiohttp import web

from kahnd.app.status import StatusSnapshot
from kahnd.web.context import OWN, WebContext

PATH: Final = f"{OWN}/metrics"


def add_routes(application: web.Application, context: WebContext) -> None:
    """Adds the route."""

    def expose(now: StatusSnapshot, accept: str) -> tuple[bytes, str]:
        from kahnd.web.exposition import exposition  # noqa: PLC0415 - slow, and only for who is scraped

        return exposition(now, context.view.metrics, accept)

    async def answer(request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        body, content_type = await anyio.to_thread.run_sync(expose, context.view.take(), accept)
        return web.Response(body=body, headers={"Content-Type": content_type})

    application.router.add_get(PATH, answer)
