"""A client of the preview that sends exactly what a test says, by a socket."""

from __future__ import annotations

import http.client
import socket
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from typing import Final
from urllib.parse import parse_qs, urlsplit

from e2e import control
from e2e.harness import DEADLINE_S, Project, eventually

SERVED: Final = {"KAHND_SERVE__ENABLED": "true", "KAHND_SERVE__PORT": "0"}
"""The environment of a daemon that serves at a free port."""


@dataclass(frozen=True)
class Answer:
    """A response: its status, headers and body."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str:
        """A header's value; empty if it is absent."""
        return str(self.headers.get(name, ""))


@dataclass(frozen=True)
class Preview:
    """Where a daemon serves."""

    url: str

    @classmethod
    def of(cls, project: Project) -> Preview:
        """The preview of a running daemon, once it serves."""

        def url() -> str:
            served = (control.status(project.root) or {}).get("serve")
            return served["url"] if served else ""

        return cls(eventually(url, "the daemon serves", within_s=DEADLINE_S))

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port
        return port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    @property
    def token(self) -> str:
        """The token in the URL; empty if none is needed."""
        return parse_qs(urlsplit(self.url).query).get("token", [""])[0]

    def connect(self) -> socket.socket:
        """A connection at which nothing is sent yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def ask(self, target: str = "/", method: str = "GET", body: str = "", **headers: str) -> Answer:
        """Asks by these headers (`Sec_Fetch_Site` for `Sec-Fetch-Site`); without an own Host, by the right one."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in ({"Host": self.host} | named).items() if value != "-"]
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "Connection: close", "", ""])
        return self.said(f"{head}{body}".encode("utf-8", "surrogateescape"), method)

    def said(self, request: bytes, method: str = "GET") -> Answer:
        """What it answers to these bytes."""
        with self.connect() as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection, method=method)
            response.begin()
            try:
                return Answer(response.status, response.headers, response.read())
            finally:
                response.close()

    def raw(self, request: bytes) -> bytes:
        """The first bytes that it answers to these; none if it hangs up."""
        with self.connect() as connection, suppress(ConnectionError):  # it has hung up already
            connection.sendall(request)
            return connection.recv(1 << 16)
        return b""

    def own_token(self) -> str:
        """The token that its pages know."""
        _, _, rest = self.ask("/no-such-page", Cookie=f"kahnd-{self.port}={self.token}").text.partition(
            'data-kahnd-token="'
        )
        return rest.partition('"')[0]
