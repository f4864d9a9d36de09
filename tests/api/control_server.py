"""A control socket that answers as it is told: what is below the client's port, for real."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

from kahnd import __version__
from kahnd.platform.unix_socket import project_identity, socket_path


@dataclass
class Daemon:
    """The requests made, and the answer to give: a status and lines of a body; `holds` keeps the other lines back."""

    status: int = 200
    lines: list[str] = field(default_factory=list)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    holds: threading.Event | None = None
    breaks_off: bool = False
    version: str = __version__
    project: str = ""
    last_ids: list[str | None] = field(default_factory=list)

    def answers(self, *messages: Any, status: int = 200) -> None:
        self.status, self.lines = status, [f"{json.dumps(message)}\n" for message in messages]


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


@contextmanager
def serving(root: Path) -> Iterator[Daemon]:
    """A daemon at the project's socket, for as long as the block lasts."""
    daemon = Daemon(project=project_identity(root))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null"))

        def _answer(self, body: Any) -> None:
            daemon.asked.append((self.command, self.path, body))
            daemon.last_ids.append(self.headers["Last-Event-ID"])
            self.send_response(daemon.status)
            self.send_header("Kahnd-Version", daemon.version)
            self.send_header("Kahnd-Project", daemon.project)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for line in daemon.lines:
                self.wfile.write(f"{len(line.encode()):x}\r\n{line}\r\n".encode())
            if daemon.holds:
                daemon.holds.wait()
            if not daemon.breaks_off:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True

        def address_string(self) -> str:
            return "socket"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
            """Say nothing."""

    path = socket_path(root)
    path.parent.mkdir(exist_ok=True, parents=True)
    with _Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield daemon
        finally:
            if daemon.holds:
                daemon.holds.set()
            server.shutdown()
            thread.join()
            path.unlink()
