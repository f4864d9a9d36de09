"""Reading and hashing one file safely while others write to it: regular files only, never following, never blocking.

After the method of git's index ("racy git") and watchman's content hashing: a file that changed while it was read
is read again, and one modified just before is not trusted by its stat later.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import xxhash

from kahnd.core.model import Digest, Problem, Stat
from kahnd.ports import PRESSING

RACY_NS: Final = 2_000_000_000
"""A file modified less than this before it was hashed may change again without its stat showing it."""
STREAMED: Final = 1 << 20
"""Above this size (bytes) a file is hashed piece by piece, unless its bytes are wanted."""
LARGEST_KEPT: Final = 1 << 24
"""Above this size (bytes) nobody gets a file's bytes: whoever scans them finds nothing, and rendering will."""

_PAUSES_S: Final = (0.001, 0.004, 0.016, 0.064, 0.2)
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NOT_A_FILE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.ENAMETOOLONG}
)


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file's bytes (if they were wanted), their hash, and its stat when they were read."""

    digest: Digest
    stat: Stat
    content: bytes | None


def is_racy(stat: Stat) -> bool:
    """Whether a file may have changed after it was hashed without its stat showing it."""
    return max(stat.mtime_ns, stat.ctime_ns) > stat.hashed_ns - RACY_NS


def hash_file(path: str, *, keep: bool) -> Hashed | None:
    """Hash a regular file, its bytes kept if wanted and not too many; None if there is none.

    A file that changes while it is read is read again, a bounded number of times; then the last reading stands, racy.
    Raises OSError where the file is there but can't be read.
    """
    reading, steady = _read_once(path, keep=keep)
    for pause in _PAUSES_S:
        if steady:
            break
        time.sleep(pause)
        reading, steady = _read_once(path, keep=keep)
    return reading


def read_file(path: str) -> bytes | None:
    """A regular file's bytes; None if there is none. Raises OSError where it is there but can't be read."""
    hashed = hash_file(path, keep=True)
    return None if hashed is None else hashed.content


def unreadable(file: str, error: OSError) -> Problem:
    """What to tell of a file or folder that is there but can't be read."""
    denied = isinstance(error, PermissionError)
    return Problem(
        message=f"can't be read: {os.strerror(error.errno or errno.EIO)}",
        file=file,
        remedy=f"let kahnd read it: chmod u+rX {file}" if denied else "",
        passing=is_passing(error),
    )


def is_passing(error: OSError) -> bool:
    """Whether it is for the machine's sake, and no event tells when it is over; a change of permissions is one."""
    return error.errno in PRESSING and not isinstance(error, PermissionError)


def is_missing(error: OSError) -> bool:
    """Whether the error means that there is no such regular file or folder."""
    return error.errno in _NOT_A_FILE


def _read_once(path: str, *, keep: bool) -> tuple[Hashed | None, bool]:
    """One reading, and whether the file held still meanwhile."""
    hashed_ns = time.time_ns()
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        if is_missing(error):
            return None, True
        raise
    try:
        return _read_open(path, descriptor, hashed_ns, keep=keep)
    finally:
        os.close(descriptor)


def _read_open(path: str, descriptor: int, hashed_ns: int, *, keep: bool) -> tuple[Hashed | None, bool]:
    before = os.fstat(descriptor)
    if not modes.S_ISREG(before.st_mode):
        return None, True
    keep = keep and before.st_size <= LARGEST_KEPT
    content, digest = (
        _whole(descriptor, before.st_size) if keep or before.st_size <= STREAMED else (None, _streamed(descriptor))
    )
    after = os.fstat(descriptor)
    steady = _identity(before) == _identity(after) == _identity_at(path)
    stat = Stat(after.st_size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino, hashed_ns)
    return Hashed(digest, stat, content if keep else None), steady


def _whole(descriptor: int, size: int) -> tuple[bytes, Digest]:
    content = b"".join(iter(_reader(descriptor, size), b""))
    return content, Digest(xxhash.xxh3_128_hexdigest(content))


def _streamed(descriptor: int) -> Digest:
    hasher = xxhash.xxh3_128()
    for piece in iter(lambda: os.read(descriptor, STREAMED), b""):
        hasher.update(piece)
    return Digest(hasher.hexdigest())


def _reader(descriptor: int, size: int) -> Callable[[], bytes]:
    return lambda: os.read(descriptor, size + 1)


def _identity_at(path: str) -> tuple[int, ...]:
    try:
        return _identity(os.lstat(path))
    except OSError:
        return ()  # gone or out of reach: not the file that was read


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
