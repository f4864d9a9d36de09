"""The port at which the preview is served."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from kahnd.web.listening import Bound, CannotListenError, bind


@contextmanager
def bound(host: str, port: int) -> Iterator[Bound]:
    found = bind(host, port)
    with ExitStack() as closing:
        for each in found.sockets:
            closing.enter_context(each)
        yield found


def test_the_next_port_is_taken_if_one_is_in_use() -> None:
    with bound("127.0.0.1", 0) as first, bound("127.0.0.1", first.port) as second:
        assert first.port < second.port <= first.port + 100
        assert second.url == f"http://127.0.0.1:{second.port}/"


def test_a_name_is_served_at_all_its_addresses_with_one_port() -> None:
    with bound("localhost", 0) as found:
        assert {each.getsockname()[1] for each in found.sockets} == {found.port}
        assert found.is_local
        assert found.url == f"http://localhost:{found.port}/"
        with socket.create_connection(("127.0.0.1", found.port)):
            pass


def test_all_addresses_are_more_than_this_machine() -> None:
    with bound("0.0.0.0", 0) as found:  # noqa: S104 - for a moment
        assert not found.is_local
        assert found.url == f"http://127.0.0.1:{found.port}/"


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 300, ".."])
def test_a_host_that_this_machine_does_not_have_is_an_error_with_a_remedy(host: str) -> None:
    with pytest.raises(CannotListenError) as raised:
        bind(host, 8300)
    assert raised.value.problem.remedy
    assert host in raised.value.problem.message


def test_no_socket_is_left_open_when_no_port_is_free() -> None:
    """The last ports: all of them are in use."""
    with ExitStack() as taken:
        for port in range(65_530, 65_536):
            each = taken.enter_context(socket.socket())
            try:
                each.bind(("127.0.0.1", port))
                each.listen()
            except OSError:
                continue  # somebody else has it, which is as well
        with pytest.raises(CannotListenError, match="in use"):
            bind("127.0.0.1", 65_530)
