"""A reverse proxy with TLS and a base path, as people put one in front of what they share."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

BASE = "/team/docs"
_OF_A_HOP = frozenset({"connection", "host", "transfer-encoding", "upgrade"})


@contextmanager
def proxied(port: int, folder: Path) -> Iterator[str]:
    """The URL, with a slash at its end, of a proxy for a local server; a certificate is made in the folder."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-days", "2", "-nodes"]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", key, "-out", certificate, *subject],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    proxy = Proxy(port)
    own = asyncio.run_coroutine_threadsafe(proxy.start(context), loop).result(60)
    try:
        yield f"https://localhost:{own}{BASE}/"
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Proxy:
    """Passes requests on below its base path, and WebSockets both ways."""

    def __init__(self, port: int) -> None:
        self._upstream = f"http://127.0.0.1:{port}"
        application = web.Application()
        application.router.add_route("*", BASE + "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        self._session: aiohttp.ClientSession | None = None

    async def start(self, context: ssl.SSLContext) -> int:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()
        if self._session:
            await self._session.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session
        url = self._upstream + request.raw_path.removeprefix(BASE)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_A_HOP}
        headers["X-Forwarded-Host"] = request.host
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._pass_socket(request, url, headers)
        async with self._session.request(request.method, url, headers=headers, allow_redirects=False) as answer:
            passed = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_A_HOP}
            return web.Response(status=answer.status, headers=passed, body=await answer.read())

    async def _pass_socket(self, request: web.Request, url: str, headers: dict[str, str]) -> web.StreamResponse:
        assert self._session
        kept = {name: value for name, value in headers.items() if not name.lower().startswith("sec-websocket")}
        inner = web.WebSocketResponse()
        async with self._session.ws_connect(url, headers=kept) as outer:
            await inner.prepare(request)
            ways = [asyncio.ensure_future(_copy(outer, inner)), asyncio.ensure_future(_copy(inner, outer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for each in ways:
                each.cancel()
        await inner.close()
        return inner


async def _copy(
    source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
    target: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
) -> None:
    async for message in source:
        await target.send_str(message.data)
