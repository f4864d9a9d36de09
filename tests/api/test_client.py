from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.control_server import Daemon, serving
from kahnd import __version__
from kahnd.api.client import ControlClient, FileEvent, Progress
from kahnd.errors import KahndError, NoDaemonError, StoreError, UsageError
from kahnd.platform.unix_socket import socket_path


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with serving(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def client(tmp_path: Path) -> ControlClient:
    return ControlClient(tmp_path, timeout=60)


def _nothing(_: Progress) -> None: ...


def test_status_is_asked_for_and_given_back(daemon: Daemon, client: ControlClient) -> None:
    daemon.answers({"state": "idle"})
    assert client.status()["state"] == "idle"
    assert daemon.asked == [("GET", "/v1/status", None)]


def test_targets_of_any_name_arrive(daemon: Daemon, client: ControlClient) -> None:
    daemon.answers({"generations": []})
    client.plan(["a b.md", "ü&?.md"])
    client.graph("a/b.md", reverse=True)
    client.graph()
    assert [path for _, path, _ in daemon.asked] == [
        "/v1/plan?target=a+b.md&target=%C3%BC%26%3F.md",
        "/v1/graph?target=a%2Fb.md&reverse=1",
        "/v1/graph",
    ]


def test_a_build_tells_its_progress_and_gives_its_report(daemon: Daemon, client: ControlClient) -> None:
    told: list[Progress] = []
    daemon.answers(
        {"progress": {"done": 1, "total": 2, "document": "a.md"}},
        {"progress": {"done": 2, "total": 2, "document": "b.md", "later": "keys"}},
        {"report": {"rendered": ["a.md", "b.md"]}},
    )
    assert client.build(["a.md"], force=True, progress=told.append)["rendered"] == ["a.md", "b.md"]
    assert told == [Progress(1, 2, "a.md"), Progress(2, 2, "b.md")]
    assert daemon.asked == [("POST", "/v1/build", {"targets": ["a.md"], "force": True})]


def test_progress_is_told_before_the_end(daemon: Daemon, client: ControlClient) -> None:
    daemon.holds = threading.Event()
    release = daemon.holds
    daemon.answers({"progress": {"done": 1, "total": 2, "document": "a.md"}}, {"report": {}})
    assert not client.wait([], timeout=None, progress=lambda _: release.set())
    assert daemon.asked == [("POST", "/v1/wait", {"targets": [], "timeout": None})]


@pytest.mark.parametrize(("code", "kind"), [(2, UsageError), (4, NoDaemonError), (5, StoreError)])
def test_an_error_keeps_its_exit_code_and_place(
    daemon: Daemon, client: ControlClient, code: int, kind: type[KahndError]
) -> None:
    daemon.answers(
        {"error": {"message": "no", "remedy": "yes", "exit_code": code, "file": "a.md", "line": 3}}, status=400
    )
    with pytest.raises(kind, match=r"a\.md:3: no \(yes\)") as raised:
        client.status()
    assert raised.value.exit_code == code


def test_an_error_may_end_a_stream(daemon: Daemon, client: ControlClient) -> None:
    daemon.answers({"error": {"message": "not in time", "remedy": "", "exit_code": 4}})
    with pytest.raises(NoDaemonError, match="not in time"):
        client.wait([], timeout=1, progress=_nothing)


def test_an_error_of_the_progress_callback_is_raised(daemon: Daemon, client: ControlClient) -> None:
    def breaks(_: Progress) -> None:
        raise BrokenPipeError

    daemon.answers({"progress": {"done": 1, "total": 2, "document": "a.md"}}, {"report": {}})
    with pytest.raises(BrokenPipeError):
        client.build([], force=False, progress=breaks)


def test_a_reload_is_asked_for_and_its_answer_given_back(daemon: Daemon, client: ControlClient) -> None:
    daemon.answers({"changed": True})
    assert client.reload() is True
    assert daemon.asked == [("POST", "/v1/reload", None)]


def test_events_come_as_they_are_told_until_the_daemon_ends(daemon: Daemon, client: ControlClient) -> None:
    daemon.lines = [
        ": alive\n\n",
        'id: 5f-7\nevent: build.started\ndata: {"event": "build.started", "cause": "a: b"}\n\n',
        ": alive\n\n",
        'event: gap\ndata: {"missed": 3}\n\nid: 5f-11\nevent: x\ndata: {}\n\n',
    ]
    events = client.events(level="error", document="a b.md", names=["x", "y"], after="5f-6")
    assert [next(events) for _ in range(3)] == [
        FileEvent("5f-7", "build.started", {"event": "build.started", "cause": "a: b"}),
        FileEvent("", "gap", {"missed": 3}),
        FileEvent("5f-11", "x", {}),
    ]
    with pytest.raises(NoDaemonError, match="the daemon stopped"):
        next(events)
    assert daemon.asked == [("GET", "/v1/events?level=error&document=a+b.md&event=x&event=y", None)]
    assert daemon.last_ids == ["5f-6"]


def test_a_client_may_stop_reading_events(daemon: Daemon, client: ControlClient) -> None:
    daemon.holds = threading.Event()
    daemon.lines = ['id: 5f-7\nevent: x\ndata: {"event": "x"}\n\n']
    events = client.events()
    assert next(events).name == "x"
    events.close()


@pytest.mark.parametrize("status", [404, 405])
def test_an_unknown_call_of_another_version_is_reported_as_such(
    daemon: Daemon, client: ControlClient, status: int
) -> None:
    daemon.version = "0.0.1"
    daemon.answers({"error": {"message": "there is no /v1/reload", "exit_code": 2}}, status=status)
    with pytest.raises(NoDaemonError, match=rf"another version: 0\.0\.1, and this is {__version__} \(restart it\)"):
        client.reload()


def test_an_unknown_call_of_the_same_version_is_reported_as_the_daemon_says(
    daemon: Daemon, client: ControlClient
) -> None:
    daemon.answers({"error": {"message": "there is no /v1/status", "exit_code": 2}}, status=404)
    with pytest.raises(UsageError, match="there is no /v1/status"):
        client.status()


# Nobody answers


def test_no_socket_is_no_daemon(client: ControlClient) -> None:
    with pytest.raises(NoDaemonError, match="kahnd run"):
        client.status()


def test_a_socket_that_nobody_listens_to_is_no_daemon(tmp_path: Path, client: ControlClient) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(NoDaemonError):
        client.status()


def test_a_daemon_that_says_nothing_is_no_daemon(tmp_path: Path) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(NoDaemonError, match="does not answer"):
            ControlClient(tmp_path, timeout=0.05).status()


def test_a_daemon_that_dies_within_an_answer_is_no_daemon(daemon: Daemon, client: ControlClient) -> None:
    daemon.breaks_off = True
    daemon.answers({"progress": {"done": 1, "total": 2, "document": "a.md"}})
    with pytest.raises(NoDaemonError):
        client.build([], force=False, progress=_nothing)


def test_a_stream_without_a_report_is_no_answer(daemon: Daemon, client: ControlClient) -> None:
    daemon.answers({"progress": {"done": 1, "total": 2, "document": "a.md"}})
    with pytest.raises(NoDaemonError, match="stopped before"):
        client.build([], force=False, progress=_nothing)


@pytest.mark.parametrize(("status", "lines"), [(200, ["<html>"]), (404, ["no\n"]), (500, ['{"error": 1}'])])
def test_something_else_at_the_socket_is_no_daemon(
    daemon: Daemon, client: ControlClient, status: int, lines: list[str]
) -> None:
    daemon.status, daemon.lines = status, lines
    with pytest.raises(NoDaemonError):
        client.status()
