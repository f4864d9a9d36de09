"""Reads and hashes one file while others may write to it: regular files only, without following links or blocking.

The method is that of git's index ("racy git") and of watchman's content hashing: a file that changed while it was read
is read again, and the stat of a file that was modified just before is not trusted later.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import time
from dataclasses import dataclass
from typing import Final

import xxhash

from kahnd.core.model import Digest, Problem, Stat
from kahnd.ports import PRESSING

RACY_NS: Final = 2_000_000_000
"""A file modified less than this before it was hashed may change again without its stat showing it."""
STREAM_SIZE: Final = 1 << 20
"""A file above this size (in bytes) is hashed piece by piece, unless its bytes are wanted."""
MAX_KEPT_SIZE: Final = 1 << 24
"""The bytes of a file above this size are never returned: it is not scanned, and rendering reports it."""

_PAUSES_S: Final = (0.001, 0.004, 0.016, 0.064, 0.2)
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NOT_A_FILE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV, errno.ENAMETOOLONG}
)


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file's hash, its stat when it was read, and its bytes if they were wanted."""

    digest: Digest
    stat: Stat
    content: bytes | None


def is_racy(stat: Stat) -> bool:
    """Returns whether a file may have changed after it was hashed without its stat showing it."""
    return max(stat.mtime_ns, stat.ctime_ns) > stat.hashed_ns - RACY_NS


def hash_file(path: str, *, keep: bool) -> HashedFile | None:
    """Hashes a regular file; None if there is none. `keep` asks for its bytes, which are left out if too many.

    A file that changes while it is read is read again a few times; then the last reading counts, with a racy stat.
    Raises OSError if the file exists but can't be read.
    """
    hashed, is_steady = _read_once(path, keep=keep)
    for pause_s in _PAUSES_S:
        if is_steady:
            break
        time.sleep(pause_s)
        hashed, is_steady = _read_once(path, keep=keep)
    return hashed


def read_file(path: str, limit: int = MAX_KEPT_SIZE) -> bytes | None:
    """Returns a regular file's bytes, or as many as the limit; None if there is none.

    Raises OSError if it exists but can't be read.
    """
    if (beginning := _beginning(path, limit)) is not None:
        return beginning
    hashed = hash_file(path, keep=True)
    return None if hashed is None else hashed.content


def _beginning(path: str, size: int) -> bytes | None:
    """Returns the first bytes of a regular file that has more; None for any other."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        return file.read(size) if modes.S_ISREG(status.st_mode) and status.st_size > size else None


def unreadable(file: str, error: OSError) -> Problem:
    """Returns the problem to report for a file or folder that exists but can't be read."""
    is_denied = isinstance(error, PermissionError)
    return Problem(
        message=f"can't be read: {os.strerror(error.errno or errno.EIO)}",
        file=file,
        remedy=f"let kahnd read it: chmod u+rX {file}" if is_denied else "",
        passing=is_passing(error),
    )


def is_passing(error: OSError) -> bool:
    """Returns whether the error comes from a lack of resources, whose end no event reports.

    A lack of permission is no such error: changing it makes an event.
    """
    return error.errno in PRESSING and not isinstance(error, PermissionError)


def is_missing(error: OSError) -> bool:
    """Returns whether the error means that there is no such regular file or folder."""
    return error.errno in _NOT_A_FILE


def _read_once(path: str, *, keep: bool) -> tuple[HashedFile | None, bool]:
    """Reads the file once, and returns whether it stayed unchanged meanwhile."""
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


def _read_open(path: str, descriptor: int, hashed_ns: int, *, keep: bool) -> tuple[HashedFile | None, bool]:
    before = os.fstat(descriptor)
    if not modes.S_ISREG(before.st_mode):
        return None, True
    keep = keep and before.st_size <= MAX_KEPT_SIZE
    content, digest = (
        _hash_whole(descriptor, before.st_size)
        if keep or before.st_size <= STREAM_SIZE
        else (None, _hash_stream(descriptor))
    )
    after = os.fstat(descriptor)
    is_steady = _identity(before) == _identity(after) == _identity_at(path)
    stat = Stat(after.st_size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino, hashed_ns)
    return HashedFile(digest, stat, content if keep else None), is_steady


def _hash_whole(descriptor: int, size: int) -> tuple[bytes, Digest]:
    content = b"".join(iter(lambda: os.read(descriptor, size + 1), b""))
    return content, Digest(xxhash.xxh3_128_hexdigest(content))


def _hash_stream(descriptor: int) -> Digest:
    hasher = xxhash.xxh3_128()
    for piece in iter(lambda: os.read(descriptor, STREAM_SIZE), b""):
        hasher.update(piece)
    return Digest(hasher.hexdigest())


def _identity_at(path: str) -> tuple[int, ...]:
    try:
        return _identity(os.lstat(path))
    except OSError:
        return ()  # removed or unreadable: not the file that was read


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
