"""Answers as HTTP: whole ones, and errors, which all have one shape."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from aiohttp import web

from kahnd import __version__
from kahnd.core.model import Problem
from kahnd.errors import KahndError, NoDaemonError, StoreError, UsageError
from kahnd.service.api import shapes
from kahnd.service.api.shapes import encoded

HEADERS: Final = {"Kahnd-Version": __version__, "Cache-Control": "no-store"}
"""In every answer."""
PROJECT: Final = "Kahnd-Project"
"""The header that tells whose daemon answers: see `paths.identity`."""
_JSON: Final = {**HEADERS, "Content-Type": "application/json"}


class RefusedError(Exception):
    """A request that is answered by another status than 200."""

    def __init__(self, status: HTTPStatus, message: str, remedy: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(message, remedy=remedy)
        self.headers = headers


def whole(answer: shapes.Answer) -> web.Response:
    """An answer of status 200."""
    return web.Response(body=encoded(answer), headers=_JSON)


def refusal(error: RefusedError) -> web.Response:
    """An error that is the request's own, or (5xx) one of the daemon, which so does not answer."""
    body = encoded(told((error.problem,), _exit_code(error.status)))
    return web.Response(status=error.status, body=body, headers={**_JSON, **error.headers})


def failure(error: KahndError) -> web.Response:
    """An error of what was asked for."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if isinstance(error, StoreError) else HTTPStatus.BAD_REQUEST
    return web.Response(status=status, body=encoded(told(error.problems, error.exit_code)), headers=_JSON)


def told(problems: Sequence[Problem], exit_code: int) -> shapes.Error:
    """The first problem, and all of them."""
    all_told = tuple(map(shapes.problem, problems))
    first = all_told[0]
    return shapes.Error(
        shapes.Refusal(first.message, first.file, first.line, first.remedy, exit_code=exit_code, problems=all_told)
    )


def raw(status: HTTPStatus, message: str, remedy: str) -> bytes:
    """A whole answer as it goes over the wire, to somebody who is not listened to; the connection ends with it."""
    body = encoded(told((Problem(message, remedy=remedy),), _exit_code(status)))
    headers = {**_JSON, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {status} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _exit_code(status: HTTPStatus) -> int:
    return NoDaemonError.exit_code if status >= HTTPStatus.INTERNAL_SERVER_ERROR else UsageError.exit_code
