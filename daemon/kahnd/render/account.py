"""The account of what kahnd has made: kept apart from the database, which may be lost and rebuilt.

A journal of JSON lines: an output with its hash and stat, written before it is put in place, or that it is removed,
written after. So whatever way a session ends, what kahnd has put anywhere is in the account. What is not, is not its
own: a line that is lost or can't be read makes an output one to be left alone. A journal that is removed while it is
kept is written anew from what is known of it.

A line is no proof. It may come with a clone, or from a damaged disk: whoever removes or overwrites an output by it must
find the file as the line says that it was made.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from kahnd.core.model import Digest, OutputPath
from kahnd.own_files import STATE_FOLDER, open_file, replace_file

ACCOUNT: Final = f"{STATE_FOLDER}/outputs"
_NO_NAMES: Final = frozenset({"", ".", ".."})
_SLACK: Final = 1_000
"""So many lines more than are needed are not worth writing the journal anew."""


class Made(msgspec.Struct, frozen=True, array_like=True):
    """An output as it was made: the hash of its bytes, and what the file system says of the file that has these."""

    hash: Digest | None = None
    size: int = -1
    mtime_ns: int = -1
    inode: int = -1


class _Line(msgspec.Struct, array_like=True):
    """`made` is None once the output is removed."""

    output: OutputPath
    made: Made | None = None


_DECODER: Final = msgspec.json.Decoder(_Line)


class Account:
    """By output. `kept`: what is said to it is written down; otherwise it is only read. Safe to use from threads.

    Raises NotOwnError where the journal is no regular file of the user's, and OSError where it can't be read.
    """

    def __init__(self, root: Path, *, kept: bool = True) -> None:
        self._root = root
        self._path = root / ACCOUNT
        self._kept = kept
        self._lock = threading.Lock()
        self._made: dict[OutputPath, Made] = {}
        self._torn, self._surplus = False, 0
        self._due = False
        self._appended: int | None = None
        self.lost: list[int] = []
        content = self._content()
        self._is_new = content is None
        if content is not None:
            self._read(content)

    def __contains__(self, output: OutputPath) -> bool:
        return output in self._made

    def __iter__(self) -> Iterator[OutputPath]:
        return iter(self._made)

    def get(self, output: OutputPath) -> Made | None:
        """How an output was made; None if kahnd did not make it."""
        return self._made.get(output)

    def open(self, recorded: Mapping[OutputPath, Digest | None]) -> None:
        """Begin to write. `recorded` outputs, with the hash of their bytes, are entered if there was no account yet.

        A journal that has to be written anew, and can't be for now, is so with the first line that can.
        """
        if self._is_new:
            self._made.update({output: Made(digest) for output, digest in recorded.items() if _is_path(output)})
        self._due = self._is_new or self._torn or self._surplus > len(self._made) + _SLACK
        with suppress(OSError):
            self._renew()

    def close(self) -> None:
        """Leave a journal to the next session, also where this one's was removed. Raises OSError."""
        self._release()
        if self._kept and self._made and not self._path.exists():
            self._compact()

    @contextmanager
    def entered(self, output: OutputPath, made: Made) -> Iterator[None]:
        """Enter an output that is about to be put in place; if that fails, all is as before. Raises OSError."""
        before = self._made.get(output)
        self.enter(output, made)
        try:
            yield
        except OSError:
            self.enter(output, before)
            raise

    def enter(self, output: OutputPath, made: Made | None) -> None:
        """What is true of an output from now on (None: it is not kahnd's any more). Raises OSError."""
        with self._lock:
            self._enter(output, made)

    def confirm(self, output: OutputPath, before: Made | None, after: Made) -> None:
        """An output was looked at and is as it should be; nothing, if it was made anew meanwhile. Raises OSError."""
        with self._lock:
            if self._made.get(output) is before:
                self._enter(output, after)

    def _enter(self, output: OutputPath, made: Made | None) -> None:
        if self._kept:
            self._append(_encoded(output, made))
        if made:
            self._made[output] = made
        else:
            self._made.pop(output, None)

    def _append(self, line: bytes) -> None:
        """Whole or not at all: half a line, as on a full disk, would spoil the next."""
        self._renew()
        journal, end = self._journal()
        if os.write(journal, line) != len(line):
            os.ftruncate(journal, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _journal(self) -> tuple[int, int]:
        """What to append to, and where it ends; one that was removed is made anew. Kept open: a line is cheap so."""
        if self._appended is not None:
            status = os.fstat(self._appended)
            if status.st_nlink:
                return self._appended, status.st_size
            self._release()
        if not self._path.exists():
            self._compact()
        self._appended = open_file(self._root, ACCOUNT, os.O_WRONLY | os.O_APPEND)
        return self._appended, os.fstat(self._appended).st_size

    def _release(self) -> None:
        appended, self._appended = self._appended, None
        if appended is not None:
            os.close(appended)

    def _content(self) -> bytes | None:
        """None where there is no journal."""
        try:
            descriptor = open_file(self._root, ACCOUNT, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as journal:
            return journal.read()

    def _read(self, content: bytes) -> None:
        """Take each line as true that can be read; the numbers of the others are `lost`, but for a torn last one."""
        *lines, rest = content.split(b"\n")
        self._torn = bool(rest)
        for number, line in enumerate(lines, 1):
            entry = _decoded(line)
            if entry is None:
                self.lost.append(number)
            elif entry.made:
                self._made[entry.output] = entry.made
            else:
                self._made.pop(entry.output, None)
        self._torn |= bool(self.lost)
        self._surplus = len(lines) - len(self._made)

    def _renew(self) -> None:
        if self._due:
            self._compact()
            self._due = False

    def _compact(self) -> None:
        """Write the journal anew, whole or not at all."""
        self._release()
        replace_file(self._root, ACCOUNT, self._write)

    def _write(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "wb", closefd=False) as journal:
            journal.writelines(_encoded(output, made) for output, made in self._made.items())


def _decoded(line: bytes) -> _Line | None:
    """None for a line that is damaged, or names no path as kahnd writes them."""
    try:
        entry = _DECODER.decode(line)
        entry.output.encode()
    except (msgspec.DecodeError, UnicodeError):
        return None
    return entry if _is_path(entry.output) else None


def _is_path(output: str) -> bool:
    """Whether it is a path in the project, in its shortest form."""
    return "\0" not in output and _NO_NAMES.isdisjoint(output.split("/"))


def _encoded(output: OutputPath, made: Made | None) -> bytes:
    return msgspec.json.encode(_Line(output, made)) + b"\n"
