"""The page where there is no output: says why, names near ones, and becomes the output once that is there."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import web

from kahnd.web.addresses import OutputAddress
from kahnd.web.context import WebContext, plain
from kahnd.web.published import PublishedFiles


class NotFound:
    """Answers requests for outputs that are not there."""

    def __init__(self, context: WebContext, files: PublishedFiles) -> None:
        self._context = context
        self._files = files

    async def answer(self, _request: web.Request, address: OutputAddress) -> web.StreamResponse:
        """Says that there is no such output."""
        return plain(HTTPStatus.NOT_FOUND, f"there is no {address.file}")
