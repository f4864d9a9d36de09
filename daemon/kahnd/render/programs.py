"""The program that a command runs: which files decide whether it can start, and why it can't.

The system says little: ENOENT for a script means the script, its interpreter or a carriage return after its name.
"""

from __future__ import annotations

import os
import platform
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final

_HEAD: Final = 4096
_ELF: Final = b"\x7fELF"
_MARK: Final = b"\xef\xbb\xbf"
_LOADER: Final = re.compile(rb"/[\w./+-]*ld[\w.+-]*\.so[\w.]*(?=\0)")
_FORMATS: Final = Path("/proc/sys/fs/binfmt_misc")
_OWN_FORMATS: Final = frozenset({"register", "status"})
_MACHINES: Final = {"x86_64": (3, 62), "aarch64": (40, 183), "armv7l": (40,), "riscv64": (243,), "ppc64le": (21,)}
"""The ELF machines that a kernel runs, by its name for itself: what it is, and its 32-bit predecessor."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a program can't start: what is wrong, to be read after its name, and what to do about it."""

    reason: str
    remedy: str


def files(words: Sequence[str], root: Path) -> tuple[str, ...]:
    """The files that decide whether a command can start: project paths, or absolute ones.

    A program that is not on PATH has one in each of its folders: it may be installed in any.
    """
    found = dict.fromkeys(_files_of(words[0], root)) if words else {}
    return tuple(found)


def fault(program: str, root: Path) -> Fault | None:
    """Why a program can't be started from the project's folder, as far as its files tell; None where it can."""
    place = located(program, root)
    if place is not None:
        return _fault_of_file(place, program, root) if _mode(place) else _missing(place, program)
    present = next((each for each in _on_path(program, root) if stat.S_ISREG(_mode(each))), None)
    if present:
        return _not_executable(present, str(present))
    return Fault("is not installed", f"install {program}, or correct the rule's `command`")


def located(program: str, root: Path) -> Path | None:
    """The file that a program's name stands for; None for one that is not on PATH."""
    if "/" in program:
        return root / program
    return next((each for each in _on_path(program, root) if _is_executable(each)), None)


def _files_of(program: str, root: Path) -> Iterator[str]:
    place = located(program, root)
    if place is None:
        yield from map(str, _on_path(program, root))
        return
    yield program if "/" in program else str(place)
    for interpreter in _interpreters(_head(place)):
        if (found := located(interpreter, root)) is None:
            yield from map(str, _on_path(interpreter, root))
        else:
            yield str(found)


def _on_path(program: str, root: Path) -> list[Path]:
    """Where it may be; a relative folder is one of the project's, where programs are started."""
    return [root / folder / program for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]


def _mode(place: Path) -> int:
    """As stat(2) tells it; 0 for what is not there, or out of reach."""
    try:
        return place.stat().st_mode
    except (OSError, ValueError):
        return 0


def _is_executable(place: Path) -> bool:
    return stat.S_ISREG(_mode(place)) and os.access(place, os.X_OK)


def _missing(place: Path, program: str) -> Fault:
    with suppress(OSError):
        return Fault(f"is a link to {place.readlink()}, which is not there", "correct the link")
    return Fault("is not there", f"create {program}, or correct the rule's `command`")


def _fault_of_file(place: Path, program: str, root: Path) -> Fault | None:
    if stat.S_ISDIR(_mode(place)):
        return Fault("is a folder", "name the program in it")
    if not stat.S_ISREG(_mode(place)):
        return Fault("is no regular file", "correct the rule's `command`")
    if not _is_executable(place):
        return _not_executable(place, program)
    return _fault_of_head(_head(place), program, root)


def _not_executable(place: Path, shown: str) -> Fault:
    if _mode(place) & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH):
        return Fault("may not be executed here", "check its owner, and whether its file system is mounted noexec")
    return Fault("is not executable", f"chmod +x {quote(shown)}")


def _fault_of_head(head: bytes | None, program: str, root: Path) -> Fault | None:
    if head is None:  # what can't be read may be run all the same
        return None
    if head.startswith(b"#!"):
        return _fault_of_script(head, program, root)
    if head.startswith(_ELF):
        return _fault_of_binary(head)
    if head.startswith(_MARK + b"#!"):
        return Fault("begins with a byte order mark, before its `#!`", f"save {program} without one")
    if head and not _has_other_formats():
        return Fault("is no program: it is no binary, and has no `#!` line", "begin it with a line such as #!/bin/sh")
    return None if head else Fault("is empty", f"write {program}")


def _fault_of_script(head: bytes, program: str, root: Path) -> Fault | None:
    first, _, _ = head.partition(b"\n")
    interpreters = _interpreters(head)
    if first.endswith(b"\r") and (len(first.split()) == 1 or len(interpreters) > 1):
        return Fault("has a first line that ends with CRLF", f"save it with LF: sed -i 's/\\r$//' {quote(program)}")
    for each in interpreters:
        place = located(each, root)
        if place is None or not _is_executable(place):
            remedy = f"install {each}, or correct the first line of {program}"
            return Fault(f"needs the interpreter {each}, which is not there", remedy)
    return None


def _interpreters(head: bytes | None) -> list[str]:
    """What the first line of a script names: a file, and the program that `env` is to find."""
    words = os.fsdecode(head[2:].partition(b"\n")[0]).split() if head and head.startswith(b"#!") else []
    if not words:
        return []
    first = words[0] if "/" in words[0] else f"./{words[0]}"
    named = [each for each in words[1:] if not each.startswith("-") and "=" not in each]
    return [first, *(named[:1] if os.path.basename(first) == "env" else [])]  # noqa: PTH119 - of a word


def _fault_of_binary(head: bytes) -> Fault | None:
    machine = int.from_bytes(head[18:20], "little" if head[5:6] == b"\1" else "big")
    own = _MACHINES.get(platform.machine())
    if own and machine not in own and not _has_other_formats():
        return Fault(f"is a program for another machine than this ({platform.machine()})", "install the one for this")
    loader = _LOADER.search(head)
    if loader and not os.path.exists(loader[0]):  # noqa: PTH110 - bytes
        return Fault(
            f"needs the loader {os.fsdecode(loader[0])}, which is not there", "install one made for this system"
        )
    return None


def _has_other_formats() -> bool:
    """Whether this system runs programs that are neither its own binaries nor scripts."""
    try:
        return not _OWN_FORMATS.issuperset(os.listdir(_FORMATS))  # noqa: PTH208 - names alone
    except OSError:
        return False


def _head(place: Path) -> bytes | None:
    """The beginning of a regular file; None where it can't be read."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(descriptor, _HEAD) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
