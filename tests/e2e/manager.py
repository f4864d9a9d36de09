"""A stand-in for the service manager: a socket that receives notifications."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from threading import Thread
from typing import Self

from e2e.harness import eventually


class Manager:
    """Binds a real socket, as systemd does, and reads it at once; keeps all it hears, with when it did."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._heard: list[tuple[float, dict[str, str]]] = []
        self._ear = Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._socket.bind(str(self._path))
        self._ear.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self._path))
        self._ear.join()
        self._socket.close()

    def _listen(self) -> None:
        while message := self._socket.recv(65_536).decode():
            self._heard.append((time.monotonic(), dict(line.split("=", 1) for line in message.splitlines())))

    def environment(self, watchdog_s: float | None = None) -> dict[str, str]:
        """The environment of a service that it starts."""
        watchdog = {} if watchdog_s is None else {"WATCHDOG_USEC": str(round(watchdog_s * 1e6))}
        return {"NOTIFY_SOCKET": str(self._path), **watchdog}

    def messages(self) -> list[dict[str, str]]:
        """All messages so far."""
        return [message for _, message in self._heard]

    def heard(self, key: str, since: int = 0) -> list[str]:
        """The values of that key, after the first `since` messages."""
        return [message[key] for message in self.messages()[since:] if key in message]

    def hears(self, key: str, value: str = "", since: int = 0) -> int:
        """Wait for that, whatever its value or this one; the number of messages up to the first such."""

        def place() -> int:
            later = enumerate(self.messages()[since:], since + 1)
            return next((number for number, each in later if key in each and value in {"", each[key]}), 0)

        return eventually(place, f"{key}={value} comes")

    def silence_s(self, key: str) -> float:
        """How long that has not been heard."""
        return time.monotonic() - max(when for when, message in self._heard if key in message)
