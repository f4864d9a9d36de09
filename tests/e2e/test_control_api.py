"""The control socket of a running daemon: its events, its reload, and clients that do not behave."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.harness import DEADLINE_S, Daemon, Project, eventually, processor_seconds
from e2e.rules import COPIES, PAGES
from kahnd.api.client import ControlClient, FileEvent
from kahnd.api.control_socket import USUAL
from kahnd.errors import KahndError, NoDaemonError, UsageError
from kahnd.telemetry.event_buffer import KEPT

MANY = 2_000
STUCK = 8


class Listener:
    """Follows a daemon's events in a thread of its own, until the daemon ends."""

    def __init__(self, project: Project, after: str | None = None, **wanted: str) -> None:
        self.happenings: list[FileEvent] = []
        self.error: KahndError | None = None
        self._events = ControlClient(project.root).events(after=after, **wanted)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def saw(self, name: str, document: str | None = None) -> FileEvent:
        """That event, once it has come."""

        def found() -> list[FileEvent]:
            return [
                each for each in self.happenings if each.name == name and document in (None, each.line.get("document"))
            ]

        return eventually(found, f"an event {name} of {document}")[-1]

    def end(self) -> None:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _follow(self) -> None:
        try:
            for each in self._events:
                self.happenings.append(each)
        except KahndError as error:
            self.error = error


def test_a_client_gets_the_log_lines_of_a_save_as_events(live: Daemon) -> None:
    project = live.project
    listener = Listener(project, document="docs/heard.txt")
    # It listens once it has heard of something: whatever is saved before that may be missed.
    eventually(lambda: _saved(project, "docs/heard.txt") and listener.happenings, "the first event")
    project.wait()
    logged = [each for each in project.log("document.rendered") if each["document"] == "docs/heard.txt"]
    heard = listener.saw("document.rendered", "docs/heard.txt")
    assert heard.line in logged
    assert heard.line["cause"] == "docs/heard.txt saved"
    assert heard.line["build"]


def _saved(project: Project, name: str) -> bool:
    project.write(name, f"{time.monotonic()}")
    return True


def test_a_client_resumes_the_events_after_the_last_id(live: Daemon) -> None:
    project = live.project
    listener = Listener(project, document="docs/resumed.txt")
    eventually(lambda: _saved(project, "docs/resumed.txt") and listener.happenings, "the first event")
    project.wait()
    last = listener.happenings[-1]
    with project.renders("docs/resumed.txt", "docs/meanwhile.txt"):
        project.write_all({"docs/resumed.txt": "once more", "docs/meanwhile.txt": "M"})
    again = Listener(project, after=last.id)
    again.saw("document.rendered", "docs/resumed.txt")
    again.saw("document.rendered", "docs/meanwhile.txt")
    assert "gap" not in [each.name for each in again.happenings]
    ids = [int(each.id.rpartition("-")[2]) for each in again.happenings]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert ids[0] == int(last.id.rpartition("-")[2]) + 1


def test_a_reload_by_the_api_is_one_by_signal(project: Project) -> None:
    with project.daemon():
        client = ControlClient(project.root)
        assert client.reload() is False
        project.configure(PAGES, COPIES)
        client.reload()
        assert [each["rules"] for each in project.log("config.reloaded")] == [2]
        project.configure('[[rules]]\nmatch = "docs/**"\nrenderer = "pgae"\n')
        with pytest.raises(UsageError, match=r"kahnd\.toml:\d+: .*pgae"):
            client.reload()
        eventually(lambda: project.status()["state"] == "idle", "it is idle again")
        project.configure(PAGES, COPIES)
        client.reload()


def test_the_event_stream_ends_with_the_daemon(project: Project) -> None:
    with project.daemon() as daemon:
        listener = Listener(project)
        began = time.monotonic()
        eventually(lambda: _saved(project, "docs/a.txt") and listener.happenings, "the first event")
        daemon.stop()
        listener.end()
    assert isinstance(listener.error, NoDaemonError)
    assert time.monotonic() - began < DEADLINE_S


# Who does not read


@contextmanager
def stuck(project: Project, method: str, path: str, body: str = "") -> Iterator[socket.socket]:
    """A client that asks, and never reads a byte of the answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        client.connect(str(project.path(".kahnd/control.sock")))
        head = f"{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(f"{head}{body}".encode())
        yield client


@pytest.mark.slow
def test_clients_that_never_read_cost_no_time_and_no_memory(project: Project) -> None:
    project.write_all({f"docs/{number % 20}/{number}.bin": f"{number}" for number in range(MANY)})
    with project.daemon() as daemon:
        alone_s = _forced_s(daemon)
        with ExitStack() as clients:
            for _ in range(STUCK):
                reader = clients.enter_context(stuck(project, "GET", "/v1/events"))
            began = time.monotonic()
            clients.enter_context(stuck(project, "POST", "/v1/wait"))
            clients.enter_context(stuck(project, "POST", "/v1/build"))
            beside_s = _forced_s(daemon)
            project.build("--force")
            assert project.status()["state"] == "idle"
            stuck_s = time.monotonic() - began
            told = _read_late(reader)
            daemon.stop()  # nor does its end wait for them
    assert beside_s < 1.5 * alone_s + 1, f"{beside_s:.2f} s beside them, {alone_s:.2f} s alone"
    missed = sum(each["missed"] for each in told if "missed" in each)
    heard = sum("event" in each for each in told)
    assert heard < KEPT + 3_000, "no more than what is kept for all, and what fits the sockets' buffers"
    if stuck_s < USUAL.stuck_s:
        assert missed > 0
        assert missed + heard >= 2 * MANY


def _forced_s(daemon: Daemon) -> float:
    """How long the daemon works on a build that renders everything again."""
    before = processor_seconds(daemon.pid)
    assert len(daemon.project.build("--force")["rendered"]) == MANY
    return processor_seconds(daemon.pid) - before


def _read_late(client: socket.socket) -> list[dict[str, Any]]:
    """All that a client was told which did not read, to the last that the log has by now, or until it was hung up on.

    The daemon hangs up on who reads nothing for long, as here where the machine is busy.
    """
    client.settimeout(DEADLINE_S)
    told = b""
    while b'"event":"build.finished"' not in told[-2_000:] or b"event: gap" not in told:
        try:
            part = client.recv(1 << 20)
        except ConnectionResetError:
            break
        if not part:
            break
        told += part
    lines = [
        line.partition(b"data: ")[2] for line in told.split(b"\n") if line.startswith(b"data: {") and line[-1:] == b"}"
    ]
    return [json.loads(line) for line in lines]


def test_a_client_that_disconnects_leaves_nothing_behind(live: Daemon) -> None:
    project, gate = live.project, live.project.gate()
    files = Path(f"/proc/{live.pid}/fd")
    before = len(list(files.iterdir()))
    project.write("docs/gone/slow.sh", gate.script("gone"))
    gate.reached("gone")
    for _ in range(20):
        with stuck(project, "POST", "/v1/wait"), stuck(project, "GET", "/v1/events"):
            pass
    eventually(lambda: len(list(files.iterdir())) <= before + 2, "the connections are closed")
    gate.open()
    project.wait()
    assert project.output("gone/slow.out") == "gone\n"
