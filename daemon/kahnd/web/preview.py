"""Serves outputs: the bytes that kahnd has published, with the client's tag in pages."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from http import HTTPStatus
from typing import Final

import anyio
import anyio.to_thread
from aiohttp import web

from kahnd.api.responses import reading
from kahnd.core.hashing import hash_bytes
from kahnd.web.addresses import INDEX, OutputAddress, RefusedAddress, output_address, shown_path
from kahnd.web.conditions import Conditions, Part, wanted_part
from kahnd.web.context import OWN, STUCK_S, WebContext, plain
from kahnd.web.injection import PageTag, with_tag
from kahnd.web.media_types import is_html
from kahnd.web.not_found import NotFound
from kahnd.web.published import PublishedFile, PublishedFiles

STARTS_WITHIN_S: Final = 10.0
"""How long a request waits for the next session: between two, what is published is not known."""
_PIECE_BYTES: Final = 1 << 18


class Preview:
    """Answers every request that is not for kahnd's own addresses."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._index = context.view.outputs
        self._files = PublishedFiles(self._index)
        self._not_found = NotFound(context, self._files)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers with an output, a redirect to a folder's slash, or a page that says why there is none."""
        address = output_address(request.raw_path)
        if isinstance(address, RefusedAddress):
            return plain(HTTPStatus.BAD_REQUEST, address.reason)
        if request.method == "POST":
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, "outputs are only read", {"Allow": "GET, HEAD"})
        if address.path.split("/")[0] == OWN[1:]:
            is_top = address.path == OWN[1:] and not address.is_folder
            return _redirect(address) if is_top else plain(HTTPStatus.NOT_FOUND, f"kahnd has no /{address.path}")
        return await self._output(request, address)

    async def _output(self, request: web.Request, address: OutputAddress) -> web.StreamResponse:
        with anyio.move_on_after(STARTS_WITHIN_S) as limit:
            file = await self._file(address.file)
        if limit.cancelled_caught:
            return _starting()
        if file:
            with closing(file.stream):
                return await self._sent(request, address, file)
        if not address.is_folder and self._index.find(address.index):
            return _redirect(address)
        return await self._not_found.answer(request, address)

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Leads to the first output of the `document` in the query; without one to the first page, or kahnd's own."""
        document = request.query.get("document", "")
        with anyio.move_on_after(STARTS_WITHIN_S) as limit:
            await self._index.opened()
        if limit.cancelled_caught:
            return _starting()
        if document:
            found = self._index.of_document(document)
            if not found:
                return plain(HTTPStatus.NOT_FOUND, f"{document} is no document that renders to an output")
            place = shown_path(found[0].path)
        else:
            place = "" if self._index.find(INDEX) else f"{OWN[1:]}/"
        return plain(HTTPStatus.FOUND, "see its page", {"Location": f"../{place}"})

    async def _file(self, path: str) -> PublishedFile | None:
        """Opens an output. Where a session ends meanwhile, the next one knows whether there is one."""
        while True:
            await self._index.opened()
            file = await self._files.open(path)
            if file or self._index.is_open:
                return file

    async def _sent(self, request: web.Request, address: OutputAddress, file: PublishedFile) -> web.StreamResponse:
        path, content, tag = file.found.path, file.content, f'"{file.digest}"'
        if content is not None and is_html(path):
            page_tag = self._tag(file).html(address.base)
            content = with_tag(content, page_tag)
            tag = f'"{file.digest}-{hash_bytes(page_tag)}"'
        size = file.size if content is None else len(content)
        part = wanted_part(_conditions(request), tag, size)
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": file.media_type}
        if part.status is HTTPStatus.PARTIAL_CONTENT:
            headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{size}"
        elif part.status is HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return plain(part.status, "the output has no such bytes", {"Content-Range": f"bytes */{size}"})
        if content is None and part.end:
            return await _streamed(request, file, part, headers)
        return web.Response(status=part.status, body=(content or b"")[part.start : part.end], headers=headers)

    def _tag(self, file: PublishedFile) -> PageTag:
        found = file.found
        return PageTag(found.document, found.path, file.digest, self._context.daemon, self._context.token)


def _redirect(address: OutputAddress) -> web.Response:
    return plain(HTTPStatus.FOUND, "see the address with a slash", {"Location": address.as_folder})


def _starting() -> web.Response:
    return plain(HTTPStatus.SERVICE_UNAVAILABLE, "kahnd is starting; try again", {"Retry-After": "1"})


def _conditions(request: web.Request) -> Conditions:
    """Returns the conditions of a request; only GET has ranges."""
    headers = request.headers
    wanted = headers.get("Range", "") if request.method == "GET" else ""
    return Conditions(headers.get("If-None-Match", ""), headers.get("If-Range", ""), wanted)


async def _streamed(
    request: web.Request, file: PublishedFile, part: Part, headers: Mapping[str, str]
) -> web.StreamResponse:
    """Sends a part of a large output piece by piece, all from one open file."""
    response = web.StreamResponse(status=part.status, headers=headers)
    response.content_length = part.end - part.start
    with suppress(ConnectionError):  # the client has gone
        with reading(request, STUCK_S):
            await response.prepare(request)
        place = part.start if request.method == "GET" else part.end
        while place < part.end:
            piece = await anyio.to_thread.run_sync(file.piece, place, min(_PIECE_BYTES, part.end - place))
            if not piece:  # somebody has cut the file short: the client sees that bytes are missing
                raise ConnectionResetError
            with reading(request, STUCK_S):
                await response.write(piece)
            place += len(piece)
        await response.write_eof()
    return response
