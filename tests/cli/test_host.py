"""When a command does without the daemon, and when it says what is the matter with that."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import cast

import pytest

from api.control_server import serving
from kahnd.api.client import ControlClient
from kahnd.cli.context import Answerer, ask_daemon_first
from kahnd.core.problem import Problem
from kahnd.errors import AlreadyRunningError, KahndError, NoDaemonError, NotListeningError
from kahnd.platform.unix_socket import socket_path

HELD = AlreadyRunningError(Problem("kahnd already works on this project"))


STATUS = {"state": "stopped"}


class FakeHost:
    """Answers with a status, or fails with each of the errors in turn."""

    def __init__(self, *errors: KahndError) -> None:
        self._errors = list(errors)

    def status(self) -> object:
        if self._errors:
            raise self._errors.pop(0)
        return STATUS


def ask(daemon: ControlClient | FakeHost, here: FakeHost) -> object:
    return ask_daemon_first(cast("Answerer", daemon), lambda: cast("Answerer", here), lambda host: host.status())


def test_without_a_daemon_the_operation_runs_in_this_process(tmp_path: Path) -> None:
    assert ask(ControlClient(tmp_path), FakeHost()) == STATUS


def test_a_daemon_that_ends_during_its_answer_is_replaced_by_this_process(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        daemon.breaks_off = True
        assert ask(ControlClient(tmp_path), FakeHost()) == STATUS


def test_a_silent_daemon_is_an_error(tmp_path: Path) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(NoDaemonError, match=r"does not answer .*stop it"):
            ask(ControlClient(tmp_path, timeout=0.05), FakeHost(HELD))


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (404, {"error": {"message": "there is no /v1/status", "exit_code": 2}}, "another version"),
        (503, {"error": {"message": "too many connections are open", "exit_code": 4}}, "too many connections"),
        (500, {}, "answers 500"),
        (200, ["no object"], "no daemon of kahnd's"),
    ],
)
def test_a_daemon_that_gives_no_answer_is_an_error(tmp_path: Path, status: int, answer: object, words: str) -> None:
    with serving(tmp_path) as daemon:
        daemon.version = "0.0.1"
        daemon.answers(answer, status=status)
        with pytest.raises(NoDaemonError, match=words):
            ask(ControlClient(tmp_path), FakeHost(HELD))


def test_a_daemon_that_has_started_meanwhile_is_asked() -> None:
    nobody = NotListeningError(Problem("no daemon runs for this project"))
    with pytest.raises(NoDaemonError, match="does not answer"):
        ask(FakeHost(nobody, NoDaemonError(Problem("the daemon does not answer"))), FakeHost(HELD))
    with pytest.raises(AlreadyRunningError):
        ask(FakeHost(nobody, nobody), FakeHost(HELD))
