"""The systemd user unit that keeps a project's daemon running: its name and its text, and why it says what it says."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kahnd.core.model import Problem
from kahnd.errors import UsageError

MARK: Final = "# Written by `kahnd service install`, and kept up to date; `kahnd service uninstall` removes it."
"""How a file is known for one of ours; nobody else's is written over or removed."""

LONGEST_NAME: Final = 255
"""Bytes of a file's name, and of a unit's."""

_PLAIN: Final = re.compile(rb"[a-zA-Z0-9:_.]")
_UNSTARTABLE: Final = re.compile(r"[\"'\\]")
_UNSAYABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Line ends, control characters, bytes that are no UTF-8."""

_UNIT: Final = """\
[Unit]
Description=kahnd keeps {description} up to date
AssertPathExists={root}/kahnd.toml
# It is tried again for as long as it takes: RestartSec and what follows it say how often.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
# The colon: a $ in a path is a $.
ExecStart=:{command}
ExecReload=kill -HUP $MAINPID
{environment}# The store's user and password, and whatever else kahnd.toml is not to hold: NAME=value, a line each.
EnvironmentFile=-%E/kahnd/environment

# A start that goes on asks for more time; so does an end, for as long as grace_s in [pool] says. The first word to stop
# goes to the daemon alone, which lets its workers finish; what is left after that is killed.
TimeoutStartSec=2min
TimeoutStopSec=30
KillMode=mixed

# A daemon whose engine does not go round any more is ended, says in the journal where it stood, and is started again.
WatchdogSec=2min
Restart=on-failure
# After 5 seconds, then later and later (systemd before 254 ignores the two lines below: then always after 5 seconds).
RestartSec=5
RestartSteps=8
RestartMaxDelaySec=5min
# 2: kahnd.toml is wrong, and trying again mends nothing. 130: somebody has interrupted it, and meant that.
RestartPreventExitStatus=2
SuccessExitStatus=130

# The log: JSON lines with their levels. `kahnd logs` shows them as text.
StandardOutput=journal
StandardError=journal
SyslogIdentifier=kahnd

# Renderers that take too much are slowed down and then ended before the machine suffers; the daemon outlives that.
MemoryHigh=60%
MemoryMax=80%
TasksMax=4096
OOMPolicy=continue

# What no rule's program needs, and what a user's own manager can forbid without name spaces, which not every machine
# lets users have. For programs that are setuid (sudo, rootless podman) see docs/service.md.
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

_PATH_NOTE: Final = "# Where the programs of rules are found: as when this was written."

_TEMPLATE_HEAD: Final = """\
# A user unit, one instance a project: the instance's name is the project's path as systemd-escape writes it.
# `kahnd service install`, in a project, writes such a unit for that project and starts it; by hand:
#
#   cp systemd/kahnd@.service ~/.config/systemd/user/
#   systemctl --user enable --now "kahnd@$(systemd-escape --path ~/handbook).service"
#   journalctl --user -f -u "kahnd@$(systemd-escape --path ~/handbook).service"

"""


def template() -> str:
    """The unit for any project: `systemd/kahnd@.service`."""
    values = {"description": "%f", "root": "%f", "command": "%h/.local/bin/kahnd -C %f run", "environment": ""}
    return _TEMPLATE_HEAD + _UNIT.format_map(values)


def for_project(root: Path, program: Sequence[str], path: str) -> str:
    """The unit for a project; `program` is what starts kahnd, `path` is where rules' programs are looked for.

    Raises UsageError for a path that no unit can have.
    """
    values = {
        "description": _plain(str(root)),
        "root": _plain(str(root)),
        "command": " ".join(map(_quoted, (*_startable(program), "-C", str(root), "run"))),
        "environment": f"{_PATH_NOTE}\nEnvironment={_quoted(f'PATH={path}')}\n",
    }
    return f"{MARK}\n# Changes of your own: systemctl --user edit '{name(root)}'\n\n{_UNIT.format_map(values)}"


def name(root: Path) -> str:
    """The unit's name: `kahnd@PATH.service` with the path escaped, or with its hash where that is too long."""
    full = f"kahnd@{escaped(root)}.service"
    if len(full) <= LONGEST_NAME:
        return full
    return f"kahnd-{hashlib.blake2b(os.fsencode(root), digest_size=16).hexdigest()}.service"


def escaped(path: Path) -> str:
    """An absolute path as it stands in a unit's name: see systemd-escape(1) and systemd.unit(5)."""
    bare = os.fsencode(path).strip(b"/")
    if not bare:
        return "-"
    return "".join(_escaped(bare[at : at + 1], first=at == 0) for at in range(len(bare)))


def _escaped(byte: bytes, *, first: bool) -> str:
    if byte == b"/":
        return "-"
    is_plain = _PLAIN.match(byte) and not (first and byte == b".")
    return byte.decode() if is_plain else f"\\x{byte[0]:02x}"


def _startable(program: Sequence[str]) -> Sequence[str]:
    """Systemd starts no program with a quote or a backslash in its path; a shell does."""
    return ("/bin/sh", "-c", 'exec "$0" "$@"', *program) if _UNSTARTABLE.search(program[0]) else program


def _quoted(word: str) -> str:
    """One word of a setting that is a list of such."""
    text = _plain(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _plain(text: str) -> str:
    """A setting's value, taken as it is."""
    if _UNSAYABLE.search(text):
        raise UsageError(Problem(f"a unit can't hold {text!a}: not all of it is text", remedy="rename the folder"))
    return text.replace("%", "%%")
