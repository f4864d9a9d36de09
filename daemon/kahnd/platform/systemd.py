"""The systemd side of a daemon: messages to the service manager, and the user unit that keeps a daemon running.

Messages are datagrams as in sd_notify(3), sent by a socket of our own. Of the libraries, sdnotify has had no release
since 2017 and blocks if the manager does not read; systemd-python and cysystemd need a C library for this one call.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from kahnd.core.model import Problem
from kahnd.core.project_files import CONFIG_FILE
from kahnd.errors import UsageError

SOCKET: Final = "NOTIFY_SOCKET"
WATCHDOG_USEC: Final = "WATCHDOG_USEC"
WATCHDOG_PID: Final = "WATCHDOG_PID"
VARIABLES: Final = frozenset({SOCKET, WATCHDOG_USEC, WATCHDOG_PID})
"""Meant for this process alone: neither workers nor the programs they run may notify the manager in its name."""

UNIT_MARK: Final = "# Written by `kahnd service install`, and kept up to date; `kahnd service uninstall` removes it."
"""Marks a unit file that kahnd wrote; no other unit file is overwritten or removed."""

MAX_NAME_BYTES: Final = 255
"""The length limit of a file name, and of a unit name."""

_UNESCAPED: Final = re.compile(rb"[a-zA-Z0-9:_.]")
_UNSUPPORTED_BY_SYSTEMD: Final = re.compile(r"[\"'\\]")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Line ends, control characters, bytes that are not UTF-8."""

_UNIT: Final = """\
[Unit]
Description=kahnd keeps {description} up to date
AssertPathExists={root}/{config_file}
# Restarts are not limited in number; RestartSec and the lines after it set their interval.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
# The colon turns off the expansion of $ in paths.
ExecStart=:{command}
ExecReload=kill -HUP $MAINPID
{environment}# The store's user and password, and others that kahnd.toml must not hold: NAME=value, one per line.
EnvironmentFile=-%E/kahnd/environment

# A slow start asks for more time, and so does a stop, up to grace_s in [pool]. The stop signal goes to the daemon
# alone, which lets its workers finish; processes left after that are killed.
TimeoutStartSec=2min
TimeoutStopSec=30
KillMode=mixed

# A daemon whose event loop hangs is ended, logs a stack trace to the journal, and is started again.
WatchdogSec=2min
Restart=on-failure
# After 5 seconds, then in growing intervals (systemd before 254 ignores the next two lines: then always 5 seconds).
RestartSec=5
RestartSteps=8
RestartMaxDelaySec=5min
# 2: kahnd.toml is invalid, and a restart would not help. 130: a user has interrupted the daemon.
RestartPreventExitStatus=2
SuccessExitStatus=130

# The log is JSON lines with their levels; `kahnd logs` shows them as text.
StandardOutput=journal
StandardError=journal
SyslogIdentifier=kahnd

# Renderers that use too much memory are slowed down and then ended before the machine suffers; the daemon goes on.
MemoryHigh=60%
MemoryMax=80%
TasksMax=4096
OOMPolicy=continue

# Restrictions that no rule's program minds, and that a user's manager can apply without namespaces, which not every
# machine grants to users. For setuid programs (sudo, rootless podman) see docs/service.md.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
"""

_PATH_NOTE: Final = "# The PATH for the programs of rules, as it was when this file was written."

_TEMPLATE_HEAD: Final = """\
# A user unit with one instance per project: the instance's name is the project's path as systemd-escape writes it.
# `kahnd service install` in a project writes such a unit for that project and starts it. By hand:
#
#   cp systemd/kahnd@.service ~/.config/systemd/user/
#   systemctl --user enable --now "kahnd@$(systemd-escape --path ~/handbook).service"
#   journalctl --user -f -u "kahnd@$(systemd-escape --path ~/handbook).service"

"""


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends messages to the service manager. Never blocks, and never fails the daemon.

    `address` is the manager's socket, "" if there is none. `watchdog_s` is the interval in which the manager expects
    a sign of life, if any.
    """

    address: str = ""
    watchdog_s: float | None = None

    @classmethod
    def from_environ(cls, environ: MutableMapping[str, str]) -> Self:
        """Read the manager's variables, and remove them so that no child process inherits them."""
        given = {name: environ.pop(name, "") for name in VARIABLES}
        address = given[SOCKET]
        if not address.startswith(("/", "@")):
            return cls()
        is_for_us = given[WATCHDOG_PID] in {"", str(os.getpid())}
        limit = given[WATCHDOG_USEC] if is_for_us and given[WATCHDOG_USEC].isdecimal() else "0"
        return cls(address, int(limit) / 1e6 or None)

    def send(self, *lines: str) -> bool:
        """Send one message, and return whether it was sent.

        A message that was not (the manager is busy or gone, or no descriptor is free) may be sent again.
        """
        # a leading @ stands for a zero byte: an abstract address, which is in no folder
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto("\n".join(lines).encode(), name)
        except OSError:
            return False
        return True


def unit_template() -> str:
    """Return the unit for any project: `systemd/kahnd@.service`."""
    values = {"description": "%f", "root": "%f", "command": "%h/.local/bin/kahnd -C %f run", "environment": ""}
    return _TEMPLATE_HEAD + _UNIT.format(config_file=CONFIG_FILE, **values)


def project_unit(root: Path, program: Sequence[str], path: str) -> str:
    """Return the unit for a project. `program` starts kahnd; `path` is the PATH for the programs of rules.

    Raises UsageError for a path that a unit can't hold.
    """
    values = {
        "description": _value(str(root)),
        "root": _value(str(root)),
        "command": " ".join(map(_quoted, (*_startable(program), "-C", str(root), "run"))),
        "environment": f"{_PATH_NOTE}\nEnvironment={_quoted(f'PATH={path}')}\n",
    }
    edit_note = f"# To make changes: systemctl --user edit '{unit_name(root)}'"
    return f"{UNIT_MARK}\n{edit_note}\n\n{_UNIT.format(config_file=CONFIG_FILE, **values)}"


def unit_name(root: Path) -> str:
    """Return `kahnd@PATH.service` with the path escaped, or with the path's hash if that is too long."""
    full = f"kahnd@{escape_path(root)}.service"
    if len(full) <= MAX_NAME_BYTES:
        return full
    return f"kahnd-{hashlib.blake2b(os.fsencode(root), digest_size=16).hexdigest()}.service"


def escape_path(path: Path) -> str:
    """Escape an absolute path for a unit's name: see systemd-escape(1) and systemd.unit(5)."""
    bare = os.fsencode(path).strip(b"/")
    if not bare:
        return "-"
    return "".join(_escape_byte(bare[at : at + 1], first=at == 0) for at in range(len(bare)))


def _escape_byte(byte: bytes, *, first: bool) -> str:
    if byte == b"/":
        return "-"
    stays = _UNESCAPED.match(byte) and not (first and byte == b".")
    return byte.decode() if stays else f"\\x{byte[0]:02x}"


def _startable(program: Sequence[str]) -> Sequence[str]:
    """Start a program through a shell if systemd would refuse its path, which has a quote or a backslash."""
    return ("/bin/sh", "-c", 'exec "$0" "$@"', *program) if _UNSUPPORTED_BY_SYSTEMD.search(program[0]) else program


def _quoted(word: str) -> str:
    """Quote one word of a setting that is a list of words."""
    text = _value(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _value(text: str) -> str:
    """Escape a setting's value, so that systemd takes it literally."""
    if _UNPRINTABLE.search(text):
        raise UsageError(Problem(f"a unit can't hold {text!a}: not all of it is text", remedy="rename the folder"))
    return text.replace("%", "%%")
