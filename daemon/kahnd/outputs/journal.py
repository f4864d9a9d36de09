"""The journal of the outputs that kahnd has made. It is separate from the database, which may be lost and rebuilt.

Each line is JSON: an output with its hash and stat, written before the output is put in place; or an output that is
removed, written after the removal. So the journal names all outputs however a session ends. A file that it does not
name, or whose line can't be read, is not kahnd's and is left alone. A journal that is removed while it is open is
written anew from memory.

A line alone proves nothing: it may come with a clone, or from a damaged disk. Before an output is removed or
overwritten, the file must match its line.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from kahnd.core.model import Digest, OutputPath
from kahnd.core.project_files import OUTPUT_JOURNAL
from kahnd.platform.owned_files import open_file, replace_file

_NO_NAMES: Final = frozenset({"", ".", ".."})
_LONGEST: Final = 32 * 1024
"""No line is longer, in bytes: the longest path that Linux takes, with each byte escaped."""
_MAX_BYTES: Final = 256 << 20
"""No more of a journal is read: it would take the lines of a million outputs."""
_SLACK: Final = 1_000
"""The journal is compacted once it has this many lines more than it needs."""


class Made(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An output as it was made: its hash and stat."""

    hash: Digest | None = None
    size: int = -1
    mtime_ns: int = -1
    inode: int = -1


class _Line(msgspec.Struct, array_like=True):
    """`made` is None once the output is removed."""

    output: OutputPath
    made: Made | None = None


_DECODER: Final = msgspec.json.Decoder(_Line)


class OutputJournal:
    """The record of how each output was made. `kept`: whether entries are written, too. Safe in several threads.

    Raises NotOwnError if the journal is not a regular file of the user's, and OSError if it can't be read.
    """

    def __init__(self, root: Path, *, kept: bool = True) -> None:
        self._root = root
        self._path = root / OUTPUT_JOURNAL
        self._kept = kept
        self._lock = threading.Lock()
        self._made: dict[OutputPath, Made] = {}
        self._torn, self._surplus = False, 0
        self._due = False
        self._appended: int | None = None
        self.lost: list[int] = []
        self._is_new = not self._read()

    def __contains__(self, output: OutputPath) -> bool:
        return output in self._made

    def __iter__(self) -> Iterator[OutputPath]:
        return iter(self._made)

    def get(self, output: OutputPath) -> Made | None:
        """Return how an output was made; None if kahnd did not make it."""
        return self._made.get(output)

    def open(self, recorded: Mapping[OutputPath, Digest | None]) -> None:
        """Prepare for writing. `recorded` outputs, with their hashes, are entered if there was no journal yet.

        If the journal has to be rewritten and can't be, that is tried again with each entry.
        """
        if self._is_new:
            self._made.update({output: Made(digest) for output, digest in recorded.items() if _is_path(output)})
        self._due = self._is_new or self._torn or self._surplus > len(self._made) + _SLACK
        with suppress(OSError):
            self._renew()

    def close(self) -> None:
        """Close the journal, and write it anew for the next session if it was removed. Raises OSError."""
        self._release()
        if self._kept and self._made and not self._path.exists():
            self._compact()

    @contextmanager
    def entered(self, output: OutputPath, made: Made) -> Iterator[None]:
        """Enter an output that the block puts in place; an OSError there restores the former entry. Raises OSError."""
        before = self._made.get(output)
        self.enter(output, made)
        try:
            yield
        except OSError:
            self.enter(output, before)
            raise

    def enter(self, output: OutputPath, made: Made | None) -> None:
        """Enter how an output was made (None: it is no longer kahnd's). Raises OSError."""
        with self._lock:
            self._enter(output, made)

    def confirm(self, output: OutputPath, before: Made | None, after: Made) -> None:
        """Replace an entry after a look at the file, unless the entry has changed since. Raises OSError."""
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
        """Append a line, whole or not at all: half a line, as on a full disk, would damage the next one."""
        self._renew()
        journal, end = self._journal()
        if os.write(journal, line) != len(line):
            os.ftruncate(journal, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _journal(self) -> tuple[int, int]:
        """Return the open journal and its size. It stays open between lines, and is written anew if it was removed."""
        if self._appended is not None:
            status = os.fstat(self._appended)
            if status.st_nlink:
                return self._appended, status.st_size
            self._release()
        if not self._path.exists():
            self._compact()
        self._appended = open_file(self._root, OUTPUT_JOURNAL, os.O_WRONLY | os.O_APPEND)
        return self._appended, os.fstat(self._appended).st_size

    def _release(self) -> None:
        appended, self._appended = self._appended, None
        if appended is not None:
            os.close(appended)

    def _read(self) -> bool:
        """Read all lines, and return whether there is a journal.

        The numbers of unreadable lines go to `lost`, except for a torn last line.
        """
        try:
            descriptor = open_file(self._root, OUTPUT_JOURNAL, os.O_RDONLY)
        except FileNotFoundError:
            return False
        number = 0
        with os.fdopen(descriptor, "rb") as journal:
            for number, line in enumerate(_lines(journal), 1):
                self._take(line, number)
            if journal.read(1):  # it is larger than any journal of kahnd's
                self.lost.append(number + 1)
        self._torn |= bool(self.lost)
        self._surplus = number - len(self._made)
        return True

    def _take(self, line: bytes, number: int) -> None:
        is_whole = line.endswith(b"\n")
        entry = _decoded(line) if is_whole else None
        if entry is None:
            self._torn = True
            if is_whole or not _is_torn(line):
                self.lost.append(number)
        elif entry.made:
            self._made[entry.output] = entry.made
        else:
            self._made.pop(entry.output, None)

    def _renew(self) -> None:
        if self._due:
            self._compact()
            self._due = False

    def _compact(self) -> None:
        """Write the journal anew by a rename."""
        self._release()
        replace_file(self._root, OUTPUT_JOURNAL, self._write)

    def _write(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "wb", closefd=False) as journal:
            journal.writelines(_encoded(output, made) for output, made in self._made.items())


def is_journal(descriptor: int) -> bool:
    """Tell by its first line whether an open file is a journal, perhaps an unfinished one."""
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        line = file.readline(_LONGEST)
    return not line or _decoded(line) is not None


def _lines(journal: BinaryIO) -> Iterator[bytes]:
    """Yield the lines within _MAX_BYTES, and of a longer line than _LONGEST its beginning."""
    while journal.tell() < _MAX_BYTES and (line := journal.readline(_LONGEST)):
        yield line
        part = line
        while len(part) == _LONGEST and not part.endswith(b"\n") and journal.tell() < _MAX_BYTES:
            part = journal.readline(_LONGEST)


def _is_torn(line: bytes) -> bool:
    """Tells whether it can be the beginning of a line that kahnd wrote, and no other damage."""
    return len(line) < _LONGEST and line[:2] == b'["'[: len(line)] and b"\0" not in line


def _decoded(line: bytes) -> _Line | None:
    """Decode a line; None if it is damaged, or its path is not as kahnd writes paths."""
    try:
        entry = _DECODER.decode(line)
        entry.output.encode()
    except (msgspec.DecodeError, UnicodeError):
        return None
    return entry if _is_path(entry.output) else None


def _is_path(output: str) -> bool:
    """Tell whether it is a relative path in its shortest form."""
    return "\0" not in output and _NO_NAMES.isdisjoint(output.split("/"))


def _encoded(output: OutputPath, made: Made | None) -> bytes:
    return msgspec.json.encode(_Line(output, made)) + b"\n"
