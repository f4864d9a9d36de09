"""Asks a running daemon over its control socket, as its API is documented: without a process for each question."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any, Final

SOON_S: Final = 10.0


class _Connection(http.client.HTTPConnection):
    def __init__(self, address: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._address))


def ask(root: Path, path: str, body: Any = None, *, within_s: float) -> Any:
    """The last line of the answer, parsed; None if no daemon answers, or it answers with an error."""
    connection = _Connection(root / ".kahnd" / "control.sock", within_s)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read().splitlines()[-1]) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError, IndexError):
        return None
    finally:
        connection.close()
    return answer


def status(root: Path) -> Any:
    """Returns the answer of `kahnd status --json`; None if no daemon answers, or not soon."""
    return ask(root, "/v1/status", within_s=SOON_S)


def wait(root: Path, *, within_s: float) -> Any:
    """Returns the answer of `kahnd wait --json`; None if no daemon answers."""
    answer = ask(root, "/v1/wait", {"targets": [], "timeout": None}, within_s=within_s)
    return answer and answer.get("report")


def is_clean(report: Any) -> bool:
    """Tells whether `kahnd wait` ends with 0 after that report."""
    return not any(report.get(each) for each in ("config_error", "cycles", "failed", "blocked"))
