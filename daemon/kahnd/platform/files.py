"""Common operations on files: look, remove, hash, and suggest a remedy for an error."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Final

import xxhash

from kahnd.core.model import Digest

_READ_BYTES: Final = 1 << 18

_REMEDIES: Final = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room: the disk quota is used up",
    errno.EAGAIN: "raise the limit on processes (ulimit -u)",
    errno.ENOMEM: "free some of the machine's memory",
    errno.EROFS: "mount the file system writable",
    errno.EFBIG: "make it smaller, or allow more with output_mb in [pool]",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the machine's limit on open files",
    errno.ENAMETOOLONG: "give the document or the rule's `output` a shorter name",
}


def remedy_for(error: OSError, otherwise: str) -> str:
    """Return the remedy for a file that could not be read or written."""
    return _REMEDIES.get(error.errno or 0, otherwise)


def lstat_or_none(path: Path | str) -> os.stat_result | None:
    """Return a path's status, links not followed, or None if nothing is there."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def is_regular(path: Path | str) -> bool:
    """Tell whether the path is a regular file, links not followed."""
    return stat.S_ISREG(_mode(path))


def break_hard_links(path: str) -> None:
    """Replace a file that has other names by a copy, so that nobody writes to it by those names."""
    copy = f"{path}.own"
    shutil.copyfile(path, copy)
    os.replace(copy, path)  # noqa: PTH105 - the path is a str


def remove_any(path: Path | str) -> None:
    """Remove what is at a path, of any kind: a program may have left a folder where a file is to be written."""
    if stat.S_ISDIR(mode := _mode(path)):
        shutil.rmtree(path)
    elif mode:
        os.unlink(path)  # noqa: PTH108 - making a Path would take longer than the rest


def hash_file(path: Path | str) -> Digest:
    """Hash a file's bytes, reading piece by piece."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return hash_open_file(descriptor)
    finally:
        os.close(descriptor)


def hash_open_file(descriptor: int) -> Digest:
    """Hash the bytes of a file from where its descriptor stands, reading piece by piece."""
    hasher = xxhash.xxh3_128()
    while piece := os.read(descriptor, _READ_BYTES):
        hasher.update(piece)
    return Digest(hasher.hexdigest())


def _mode(path: Path | str) -> int:
    """Return a path's mode, links not followed, or 0 if nothing is there."""
    status = lstat_or_none(path)
    return status.st_mode if status else 0
