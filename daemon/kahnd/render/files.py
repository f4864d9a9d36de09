"""Files of the project as renderers read and write them: regular ones only, inside the project, of bounded size."""

from __future__ import annotations

import codecs
import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Final

import xxhash

from kahnd.core import twins
from kahnd.core.model import Digest, Problem
from kahnd.own_files import leads_straight

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PIECE: Final = 1 << 18
_PAGE: Final = 1 << 12
MAX_BYTES: Final = 256 * 1024 * 1024

_REMEDIES: Final = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room: the disk quota is used up",
    errno.EAGAIN: "see to the limit on processes (ulimit -u)",
    errno.ENOMEM: "see to the machine's memory",
    errno.EROFS: "mount the file system writable",
    errno.EFBIG: "let it be smaller, or allow more with output_mb in [pool]",
    errno.EMFILE: "see to the limit on open files (ulimit -n)",
    errno.ENFILE: "see to the machine's limit on open files",
    errno.ENAMETOOLONG: "give the document or the rule's `output` a shorter name",
}


def remedy_for(error: OSError, otherwise: str) -> str:
    """What to do where a file could not be read or written."""
    return _REMEDIES.get(error.errno or 0, otherwise)


def twin_on_disk(root: Path, path: str) -> str | None:
    """A file in the same folder whose name looks the same, where there is none of this name."""
    folder, slash, name = path.rpartition("/")
    try:
        names = [each.name for each in os.scandir(root / folder)]
    except OSError:
        return None
    found = None if name in names else twins.twin(name, names)
    return f"{folder}{slash}{found}" if found else None


class OutsideError(Exception):
    """A path leads out of the project through a link."""


class UnfitError(Exception):
    """A path is there and can't be read as a text's or data's source; the message says why."""


class ProblemError(Exception):
    """A rendering can't go on; carries what the user is told."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read_inside(root: Path, path: str) -> bytes:
    """The bytes of a project's file; `root` is the project's real path.

    Raises FileNotFoundError, OutsideError (a link out of the project), UnfitError (no regular file, or too large),
    or another OSError.
    """
    real = f"{root}/{path}" if leads_straight(str(root), path) else os.path.realpath(root / path)
    if not real.startswith(os.path.join(root, "")):  # noqa: PTH118 - on the path of every file that is read
        raise OutsideError(path)
    return read_regular(real, path)


def read_regular(file: Path | str, name: str) -> bytes:
    """The bytes of a regular file, which is called `name` in messages. Raises UnfitError, or OSError.

    Without blocking: a named pipe must not hold a worker until its time limit.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        size = _fitting_size(descriptor, name)
        return b"".join(iter(lambda: os.read(descriptor, max(size + 1, _PAGE)), b""))
    finally:
        os.close(descriptor)


def _fitting_size(descriptor: int, path: str) -> int:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise UnfitError(f"{path} is no regular file")
    if status.st_size > MAX_BYTES:
        raise UnfitError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return status.st_size


def is_regular(path: Path | str) -> bool:
    """Whether a regular file stands here, links not followed."""
    return stat.S_ISREG(_mode(path))


def make_own(path: str) -> None:
    """Put a copy in the place of a file that has other names: who writes to one of those would write to this one."""
    if os.lstat(path).st_nlink > 1:
        copy = f"{path}.own"
        shutil.copyfile(path, copy)
        os.replace(copy, path)  # noqa: PTH105 - a name as text


def size_of(path: Path | str) -> int:
    """In bytes, links not followed; 0 where nothing stands."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return 0


def clear(path: Path | str) -> None:
    """Make room for a file: a place that is used again may hold what a program left there, of any kind."""
    if stat.S_ISDIR(mode := _mode(path)):
        shutil.rmtree(path)
    elif mode:
        os.unlink(path)  # noqa: PTH108 - a Path takes longer than all else here


def _mode(path: Path | str) -> int:
    """Of what stands here, links not followed; 0 where nothing does."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def digest_of(path: Path | str) -> Digest:
    """The hash of a file's bytes, read in pieces."""
    hasher = xxhash.xxh3_128()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while piece := os.read(descriptor, _PIECE):
            hasher.update(piece)
    finally:
        os.close(descriptor)
    return Digest(hasher.hexdigest())


def decode(content: bytes, path: str) -> str:
    """The bytes as text, a byte order mark left out. Raises ProblemError where they are not UTF-8."""
    if content.startswith(_UTF_16):
        raise ProblemError(Problem("is UTF-16, by its first two bytes", path, 1, "save it as UTF-8"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
        raise ProblemError(Problem(message, path, line, "save it as UTF-8")) from error
