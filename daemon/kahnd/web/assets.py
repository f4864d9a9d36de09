"""Serves the scripts, styles and licences of kahnd's own that `daemon/browser` makes."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Final

from aiohttp import web

from kahnd.core.hashing import hash_bytes
from kahnd.web.context import OWN, WebContext, plain

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}


@cache
def assets() -> dict[str, bytes]:
    """Returns all assets by name: they are read once."""
    folder = files("kahnd.web") / "assets"
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in _TYPES}


async def asset(request: web.Request) -> web.StreamResponse:
    """Answers with an asset. Browsers ask each time whether theirs is still the same: a new kahnd may be running."""
    name = request.match_info["name"]
    content = assets().get(name)
    if content is None:
        return plain(HTTPStatus.NOT_FOUND, "kahnd has no such asset")
    tag = f'"{hash_bytes(content)}"'
    if tag in request.headers.get("If-None-Match", ""):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    kind = _TYPES[name.rpartition(".")[2]]
    return web.Response(body=content, content_type=kind, charset="utf-8", headers={"ETag": tag})


def add_routes(application: web.Application, _: WebContext) -> None:
    """Adds the assets."""
    application.router.add_get(f"{OWN}/assets/{{name}}", asset)
