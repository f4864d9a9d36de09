"""When a command does without the daemon, and when it says what is the matter with that."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.control_server import serving
from kahnd.cli.daemon_first import ask
from kahnd.core.problem import Problem
from kahnd.errors import AlreadyRunningError, KahndError, NobodyThereError, NoDaemonError
from kahnd.service.client import ControlClient, Json
from kahnd.service.paths import socket_path

HELD = AlreadyRunningError(Problem("kahnd already works on this project"))


def _failing(*errors: KahndError) -> Callable[[], Json]:
    left = list(errors)

    def fail() -> Json:
        raise left.pop(0)

    return fail


def test_where_nobody_listens_it_is_done_here(tmp_path: Path) -> None:
    assert ask(ControlClient(tmp_path).status, lambda: {"state": "stopped"}) == {"state": "stopped"}


def test_a_daemon_that_goes_within_its_answer_is_done_without(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        daemon.breaks_off = True
        assert ask(ControlClient(tmp_path).status, lambda: {"state": "stopped"}) == {"state": "stopped"}


def test_a_silent_daemon_is_told_of_at_once(tmp_path: Path) -> None:
    path = socket_path(tmp_path)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(NoDaemonError, match=r"does not answer .*stop it"):
            ask(ControlClient(tmp_path, timeout=0.05).status, _failing(HELD))


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (404, {"error": {"message": "there is no /v1/status", "exit_code": 2}}, "another version"),
        (503, {"error": {"message": "too many connections are open", "exit_code": 4}}, "too many connections"),
        (500, {}, "answers 500"),
        (200, ["no object"], "no daemon of kahnd's"),
    ],
)
def test_a_daemon_that_gives_no_answer_is_told_of_at_once(
    tmp_path: Path, status: int, answer: object, words: str
) -> None:
    with serving(tmp_path) as daemon:
        daemon.version = "0.0.1"
        daemon.answers(answer, status=status)
        with pytest.raises(NoDaemonError, match=words):
            ask(ControlClient(tmp_path).status, _failing(HELD))


def test_a_daemon_that_has_come_up_in_between_is_asked_again() -> None:
    nobody = NobodyThereError(Problem("no daemon runs for this project"))
    with pytest.raises(NoDaemonError, match="does not answer"):
        ask(_failing(nobody, NoDaemonError(Problem("the daemon does not answer"))), _failing(HELD))
    with pytest.raises(AlreadyRunningError):
        ask(_failing(nobody, nobody), _failing(HELD))
