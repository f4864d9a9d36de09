"""The units are valid for systemd, and messages to the manager arrive or fail without blocking."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kahnd.errors import UsageError
from kahnd.platform import systemd

SHIPPED = Path(__file__).parents[2] / "systemd" / "kahnd@.service"
DOCS = Path(__file__).parents[2] / "docs" / "service.md"
NEWER = re.compile(r"Unknown key (name )?'(RestartSteps|RestartMaxDelaySec)' in section .*, ignoring\.")
"""Warnings of systemd before 254 about settings that it does not know."""
ODD = ("a b", "100%", "%h", "$HOME", 'q"uote', "back\\slash", "ünïcode", "'single'", ".hidden", "-dash", ";semi", "#no")
MOST_EXPOSED = 7.8
"""On a scale of 10; a user's manager can restrict little more, see docs/service.md."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with kahnd where the shipped unit looks for it."""
    (tmp_path / "run").mkdir()
    _program(tmp_path / ".local" / "bin" / "kahnd")
    return tmp_path


def _program(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return place


def analyze(home: Path, *words: str) -> str:
    """Run `systemd-analyze` for user units, and return its output; it must succeed."""
    environment = os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    done = subprocess.run(
        ["systemd-analyze", "--user", "--no-pager", *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def verify(home: Path, unit: Path) -> None:
    """Check that systemd accepts the unit without warnings, except about settings of later versions."""
    said = analyze(home, "verify", str(unit)).splitlines()
    assert [line for line in said if not NEWER.search(line)] == []


def test_the_shipped_unit_is_the_one_that_is_installed() -> None:
    assert SHIPPED.read_text() == systemd.unit_template()


def test_the_shipped_unit_is_valid(home: Path) -> None:
    verify(home, SHIPPED)


def test_an_invalid_unit_is_detected(home: Path, tmp_path: Path) -> None:
    unit = tmp_path / "kahnd@wrong.service"
    unit.write_text(systemd.unit_template().replace("Restart=on-failure", "Restart=now-and-then"))
    with pytest.raises(AssertionError):
        verify(home, unit)


def test_an_installed_unit_exposes_as_little_as_the_documentation_says(home: Path) -> None:
    said = analyze(home, "security", "--offline=true", str(SHIPPED))
    (score,) = re.findall(r"Overall exposure level for .*: (\d+\.\d)", said)
    assert float(score) <= MOST_EXPOSED
    assert re.search(rf"exposure at most {MOST_EXPOSED}", DOCS.read_text())


@pytest.mark.parametrize("odd", ODD)
def test_a_unit_is_valid_whatever_its_paths(home: Path, tmp_path: Path, odd: str) -> None:
    """Systemd checks that the program exists, and so that it has parsed the path correctly."""
    root, program = tmp_path / "projects" / odd, _program(tmp_path / "bin" / odd / "kahnd")
    root.mkdir(parents=True)
    unit = tmp_path / systemd.unit_name(root)
    unit.write_text(systemd.project_unit(root, [str(program)], f"/usr/bin:{program.parent}"))
    verify(home, unit)
    if not set(odd) & set("\"'\\"):  # those are started by a shell
        program.unlink()
        with pytest.raises(AssertionError, match="not executable"):
            verify(home, unit)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
@example("/")
@example("/.hidden/a-b/c d")
def test_a_path_is_escaped_as_systemd_does_it(path: str) -> None:
    absolute = Path(os.path.normpath(f"/{path}"))
    told = subprocess.run(["systemd-escape", "--path", "--", str(absolute)], capture_output=True, check=False)
    if told.returncode == 0:  # it takes no path that is too long for it, nor every odd one
        assert systemd.escape_path(absolute) == told.stdout.removesuffix(b"\n").decode()


def test_a_path_too_long_for_a_unit_name_is_hashed(home: Path, tmp_path: Path) -> None:
    root = Path("/" + "/".join(["long" * 20] * 4))
    name = systemd.unit_name(root)
    assert name != systemd.unit_name(root / "other")
    assert len(name) <= systemd.MAX_NAME_BYTES
    unit = tmp_path / name
    unit.write_text(systemd.project_unit(root, [str(_program(tmp_path / "kahnd"))], "/usr/bin"))
    verify(home, unit)


@pytest.mark.parametrize("name", ["new\nline", "tab\t", "half\udcff"])
def test_a_path_that_a_unit_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not all of it is text"):
        systemd.project_unit(Path("/projects") / name, ["/usr/bin/kahnd"], "/usr/bin")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as listener:
        yield listener


def test_a_message_arrives_whole(tmp_path: Path, listener: socket.socket) -> None:
    listener.bind(str(tmp_path / "n"))
    assert systemd.Notifier(str(tmp_path / "n")).send("READY=1", "STATUS=größer")
    assert listener.recv(100).decode() == "READY=1\nSTATUS=größer"


def test_an_abstract_address_works(listener: socket.socket) -> None:
    listener.bind(f"\0kahnd-test-{os.getpid()}")
    assert systemd.Notifier(f"@kahnd-test-{os.getpid()}").send("READY=1")
    assert listener.recv(100) == b"READY=1"


def test_sending_never_blocks(tmp_path: Path, listener: socket.socket) -> None:
    listener.bind(str(tmp_path / "n"))
    notifier, sent = systemd.Notifier(str(tmp_path / "n")), 0
    while notifier.send("WATCHDOG=1"):
        sent += 1
    assert sent
    listener.recv(100)
    assert notifier.send("WATCHDOG=1")


@pytest.mark.parametrize("name", ["nobody", "long" * 100])
def test_sending_to_a_missing_manager_fails(tmp_path: Path, name: str) -> None:
    assert not systemd.Notifier(str(tmp_path / name)).send("READY=1")


@pytest.mark.parametrize(
    ("given", "address", "watchdog_s"),
    [
        ({}, "", None),
        ({"NOTIFY_SOCKET": "/run/n"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "@n", "WATCHDOG_USEC": "3000000"}, "@n", 3.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, "/run/n", 3.0),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"}, "/run/n", None),
        ({"NOTIFY_SOCKET": "vsock:2:1234"}, "", None),
        ({"WATCHDOG_USEC": "3000000"}, "", None),
    ],
)
def test_the_managers_variables_are_removed_from_the_environment(
    given: dict[str, str], address: str, watchdog_s: float | None
) -> None:
    environ = {"HOME": "/home/me"} | given
    assert systemd.Notifier.from_environ(environ) == systemd.Notifier(address, watchdog_s)
    assert environ == {"HOME": "/home/me"}
