"""Runs a program to its end; finds out why a program can't start, and the places that its messages name.

The system's errors say little: ENOENT for a script may mean the script, its interpreter, or a carriage return
at the end of its first line. So the program's files are examined.
"""

from __future__ import annotations

import os
import platform
import posixpath
import re
import select
import signal
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import Final

from kahnd.core.project_files import STATE_FOLDER
from kahnd.platform import processes
from kahnd.platform.files import is_regular
from kahnd.render.scan.expressions import searched

MAX_DETAIL: Final = 8 * 1024
"""The bytes of a failed program's output that are kept, its last ones."""
MAX_PRINTED: Final = 256 * 1024
"""The bytes of a program's output that are searched for positions, its last ones."""
MAX_POSITIONS: Final = 10_000
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_TICK_MS: Final = 10
"""How long to wait for the pipe alone; and the interval of polling for the end of a program without a pidfd."""
_PIPE: Final = 1 << 16
"""The capacity of a pipe, in bytes."""


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """The end of a program: `code` is negative for a signal; `output` is the end of what it printed.

    `left_running`: the names of processes that outlived it.
    """

    code: int
    output: str
    left_running: tuple[str, ...] = ()


def execute(argv: list[str], output: int | None, environment: Mapping[str, str]) -> ProcessResult:
    """Run a program in the current folder with empty standard input, and wait for it, not for its children.

    Its standard output goes to the descriptor `output`; with None it is part of the result's output, as standard error
    is. Processes that it leaves running are ended. Raises OSError if it can't be started. `posix_spawn` takes a third
    of the time of `subprocess`.
    """
    earlier_children = processes.children(os.getpid()) if processes.has_children() else frozenset()
    reading, writing = os.pipe()
    try:
        try:
            actions = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, writing if output is None else output, 1),
                (os.POSIX_SPAWN_DUP2, writing, 2),
            ]
            pid = os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsigdef=_IGNORED_BY_PYTHON)
        finally:
            os.close(writing)
        status, printed = _follow(pid, reading)
    finally:
        os.close(reading)
    left = processes.end_children(earlier_children) if processes.has_children() else ()
    return ProcessResult(os.waitstatus_to_exitcode(status), printed.decode(errors="replace").strip(), left)


def _follow(pid: int, pipe: int) -> tuple[int, bytes]:
    """Read the pipe until the program ends; return its wait status and the end of what it printed.

    Mostly the pipe closes when the program ends. If a child keeps it open, a pidfd tells the end of the program.
    """
    kept, ending = b"", None
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    try:
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(_TICK_MS if ending is None else None)]
            if pipe in ready:
                if not (chunk := os.read(pipe, _PIPE)):  # no process has it open any more
                    return os.waitpid(pid, 0)[1], kept
                kept = (kept + chunk)[-MAX_PRINTED:]
            if ending is None or ending in ready:
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    return status, _drained(pipe, kept)
            if ending is None and (ending := _descriptor_of(pid)) is not None:
                poll.register(ending, select.POLLIN)
    finally:
        if ending is not None:
            os.close(ending)


def _descriptor_of(pid: int) -> int | None:
    """A pidfd, which becomes readable when the process ends; None if the system can't provide one."""
    with suppress(AttributeError, OSError):
        return os.pidfd_open(pid)
    return None


def _drained(pipe: int, kept: bytes) -> bytes:
    """The output with what is in the pipe now, without waiting for more."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        kept += os.read(pipe, _PIPE)
    return kept[-MAX_PRINTED:]


_HEAD_BYTES: Final = 4096
_ELF: Final = b"\x7fELF"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_LOADER: Final = re.compile(rb"/[\w./+-]*ld[\w.+-]*\.so[\w.]*(?=\0)")
_FORMATS: Final = Path("/proc/sys/fs/binfmt_misc")
_OWN_FORMATS: Final = frozenset({"register", "status"})
_MACHINES: Final = {"x86_64": (3, 62), "aarch64": (40, 183), "armv7l": (40,), "riscv64": (243,), "ppc64le": (21,)}
"""By machine name, the ELF machine numbers that its kernel runs: its own and its 32-bit predecessor's."""


@dataclass(frozen=True, slots=True)
class StartFault:
    """The reason why a program can't start, to be read after its name, and the remedy."""

    reason: str
    remedy: str


class CannotStartError(Exception):
    """The program can't start, for a reason in its files."""

    def __init__(self, program: str, fault: StartFault) -> None:
        super().__init__(f"{program} {fault.reason}")
        self.program = program
        self.fault = fault


def executable_files(words: Sequence[str], root: Path) -> tuple[str, ...]:
    """The files that decide whether a command can start: project paths, or absolute ones.

    For a program that is not on PATH, that is one in each folder of PATH, since it may be installed in any.
    """
    found = dict.fromkeys(_executable_files(words[0], root)) if words else {}
    return tuple(found)


def start_fault(program: str, root: Path) -> StartFault | None:
    """The reason why a program can't be started from the project's folder; None if its files show none."""
    file = find_executable(program, root)
    if file is not None:
        return _fault_of_file(file, program, root) if _mode(file) else _missing(file, program)
    present = next((each for each in _candidates_on_path(program, root) if stat.S_ISREG(_mode(each))), None)
    if present:
        return _not_executable(present, str(present))
    return StartFault("is not installed", f"install {program}, or correct the rule's `command`")


def find_executable(program: str, root: Path) -> Path | None:
    """The file that a program's name means; None if it is not on PATH."""
    if "/" in program:
        return root / program
    return next((each for each in _candidates_on_path(program, root) if _is_executable(each)), None)


def _executable_files(program: str, root: Path) -> Iterator[str]:
    file = find_executable(program, root)
    if file is None:
        yield from map(str, _candidates_on_path(program, root))
        return
    yield program if "/" in program else str(file)
    for interpreter in _interpreters(_head(file)):
        if (found := find_executable(interpreter, root)) is None:
            yield from map(str, _candidates_on_path(interpreter, root))
        else:
            yield str(found)


def _candidates_on_path(program: str, root: Path) -> list[Path]:
    """The paths of a program in the folders of PATH. Relative folders are the project's, where programs start."""
    return [root / folder / program for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]


def _mode(file: Path) -> int:
    """The file's mode; 0 if it does not exist or can't be accessed."""
    try:
        return file.stat().st_mode
    except (OSError, ValueError):
        return 0


def _is_executable(file: Path) -> bool:
    return stat.S_ISREG(_mode(file)) and os.access(file, os.X_OK)


def _missing(file: Path, program: str) -> StartFault:
    with suppress(OSError):
        return StartFault(f"is a link to {file.readlink()}, which is not there", "correct the link")
    return StartFault("is not there", f"create {program}, or correct the rule's `command`")


def _fault_of_file(file: Path, program: str, root: Path) -> StartFault | None:
    if stat.S_ISDIR(_mode(file)):
        return StartFault("is a folder", "name the program in it")
    if not stat.S_ISREG(_mode(file)):
        return StartFault("is no regular file", "correct the rule's `command`")
    if not _is_executable(file):
        return _not_executable(file, program)
    return _fault_of_head(_head(file), program, root)


def _not_executable(file: Path, shown: str) -> StartFault:
    if _mode(file) & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH):
        return StartFault("may not be executed here", "check its owner, and whether its file system is mounted noexec")
    return StartFault("is not executable", f"chmod +x {quote(shown)}")


def _fault_of_head(head: bytes | None, program: str, root: Path) -> StartFault | None:
    if head is None:  # an unreadable program may be executable
        return None
    if head.startswith(b"#!"):
        return _fault_of_script(head, program, root)
    if head.startswith(_ELF):
        return _fault_of_binary(head)
    if head.startswith(_BYTE_ORDER_MARK + b"#!"):
        return StartFault("begins with a byte order mark, before its `#!`", f"save {program} without one")
    if head and not _has_other_formats():
        return StartFault(
            "is no program: it is no binary, and has no `#!` line", "begin it with a line such as #!/bin/sh"
        )
    return None if head else StartFault("is empty", f"write {program}")


def _fault_of_script(head: bytes, program: str, root: Path) -> StartFault | None:
    first, _, _ = head.partition(b"\n")
    interpreters = _interpreters(head)
    if first.endswith(b"\r") and (len(first.split()) == 1 or len(interpreters) > 1):
        return StartFault(
            "has a first line that ends with CRLF", f"save it with LF: sed -i 's/\\r$//' {quote(program)}"
        )
    for each in interpreters:
        file = find_executable(each, root)
        if file is None or not _is_executable(file):
            remedy = f"install {each}, or correct the first line of {program}"
            return StartFault(f"needs the interpreter {each}, which is not there", remedy)
    return None


def _interpreters(head: bytes | None) -> list[str]:
    """The interpreters that a script's first line names: a file, and the program that `env` is to find."""
    words = os.fsdecode(head[2:].partition(b"\n")[0]).split() if head and head.startswith(b"#!") else []
    if not words:
        return []
    first = words[0] if "/" in words[0] else f"./{words[0]}"
    named = [each for each in words[1:] if not each.startswith("-") and "=" not in each]
    return [first, *(named[:1] if os.path.basename(first) == "env" else [])]  # noqa: PTH119 - of a word


def _fault_of_binary(head: bytes) -> StartFault | None:
    machine = int.from_bytes(head[18:20], "little" if head[5:6] == b"\1" else "big")
    own = _MACHINES.get(platform.machine())
    if own and machine not in own and not _has_other_formats():
        return StartFault(
            f"is a program for another machine than this ({platform.machine()})", "install the one for this"
        )
    loader = _LOADER.search(head)
    if loader and not os.path.exists(loader[0]):  # noqa: PTH110 - bytes
        return StartFault(
            f"needs the loader {os.fsdecode(loader[0])}, which is not there", "install one made for this system"
        )
    return None


def _has_other_formats() -> bool:
    """Tell whether this system runs programs of other formats (binfmt_misc)."""
    try:
        return not _OWN_FORMATS.issuperset(os.listdir(_FORMATS))  # noqa: PTH208 - names alone
    except OSError:
        return False


def _head(file: Path) -> bytes | None:
    """The beginning of a regular file; None if it can't be read."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, _HEAD_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


NOT_FOUND: Final = 127
NOT_STARTED: Final = frozenset({126, NOT_FOUND})
"""The exit codes of shells and `env` if the program that they run can't start."""


def exit_message(program: str, code: int) -> str:
    """The message for a program that ended with this code; that of a signal is negative."""
    if code >= 0:
        return f"{program} failed with exit code {code}"
    return f"{program} was ended by signal {-code} ({signal.strsignal(-code)})"


def exit_remedy(code: int) -> str:
    """The remedy for a program that ended with this code."""
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "see whether it needs more memory than the machine has"
    return "a program in it was not found: install it" if code == NOT_FOUND else "see what it said"


_GROUPS: Final = ("file", "line", "message", "column")
_USUAL: Final = (
    r"^\s*(?:File )?\"?(?P<file>[^\s:\"][^:\"\n]*)\"?(?::|, line )(?P<line>\d+)(?::(?P<column>\d+))?:?"
    r"[ \t]*(?P<message>.*)$"
)
"""`file:line: message`, `file:line:column: message` and Python's `File "file", line 1`."""
_ERROR: Final = re.compile(r"error|fatal|undefined", re.IGNORECASE)
_WARNING: Final = re.compile(r"\bwarn(?:ing)?\b", re.IGNORECASE)
_WARNED: Final = re.compile(r"\bwarning: *(?=\S)", re.IGNORECASE)
_MAX_NUMBER: Final = 9
"""The digits of a line's or column's number."""


@dataclass(frozen=True, slots=True)
class Position:
    """A file of the project, a line in it, and what the program says of it, if the expression has a group for that.

    `column`: 0 if the program does not say it.
    """

    file: str
    line: int
    message: str = ""
    column: int = 0


def position(output: str, expression: str, find_file: Callable[[str], str | None]) -> Position | None:
    """The first position in a program's output that is in a file of the project; of an error, if any says so.

    `expression`: one whose groups are the file, the line and perhaps the message and the column, in this order or with
    these names; the usual form counts where it finds nothing. `find_file`: the project path that a file's name means,
    or None.
    """
    positions = list(_positions(output, expression, find_file)) if expression else []
    positions = positions or list(_positions(output, _USUAL, find_file))
    errors = (found for found, text in positions if _ERROR.search(text))
    return next(errors, positions[0][0] if positions else None)


def warnings(output: str, expression: str, find_file: Callable[[str], str | None]) -> Iterator[Position]:
    """The positions in a program's output, as in `position`, in lines that say that they are warnings."""
    if not _WARNING.search(output):
        return
    for found, text in _positions(output, expression, find_file):
        if _WARNING.search(text):
            yield replace(found, message=_WARNED.sub("", found.message or text.strip(), count=1))


def file_of(name: str, root: Path, folders: Iterable[str]) -> str | None:
    """The project path of an existing file that a name means, as seen from the first of the folders that has it."""
    paths = (posixpath.relpath(posixpath.join(root, folder, name), root) for folder in folders)
    inside = (path for path in paths if not path.startswith((f"{STATE_FOLDER}/", "../")))
    return next((path for path in inside if is_regular(root / path)), None)


def _positions(output: str, expression: str, find_file: Callable[[str], str | None]) -> Iterator[tuple[Position, str]]:
    for text, groups in islice(searched(expression or _USUAL, output, _GROUPS), MAX_POSITIONS):
        name, line, message, column = groups
        if (at := _number(line)) and name and (file := find_file(name.strip())):
            yield Position(file, at, message.strip(), _number(column)), text


def _number(digits: str) -> int:
    return int(digits) if digits.isdecimal() and len(digits) <= _MAX_NUMBER else 0
