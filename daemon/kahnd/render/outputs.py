"""The output folder and the stages: the only place that writes or removes outputs."""

from __future__ import annotations

import errno
import os
import posixpath
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from kahnd.core.model import Digest, OutputPath, Problem
from kahnd.ports import PRESSING, Spoilt
from kahnd.render.account import ACCOUNT, Account, Made
from kahnd.render.files import digest_of, is_regular, leads_straight, remedy_for

_REMEDIES: Final = {
    errno.EROFS: "mount the file system writable, or set another `output`",
    errno.EACCES: "give yourself write permission there",
    errno.EPERM: "give yourself write permission there",
    errno.ENOTDIR: "move away the file that stands where a folder is needed",
    errno.EEXIST: "move away the file that stands where a folder is needed",
    errno.EISDIR: "move away the folder that stands where the output goes",
}
_TEMPORARY: Final = ".kahnd-tmp"


class FileOutputs:
    """`folder` is the project's output folder; nothing outside of it is written, links or not.

    What was made in another, when the project had that one, is removed from there, unless a link leads to it.
    What kahnd has not made is left alone wherever it is. `kept`: whether an account of what it makes is written.
    """

    def __init__(self, root: Path, folder: str, *, kept: bool = True) -> None:
        self._root = root
        self._prefix = f"{root}/"
        self._folder = root / folder
        self._inner = f"{self._folder}/"
        self._account = Account(root / ACCOUNT, kept=kept)

    def open(self, recorded: Iterable[OutputPath]) -> None:
        """Before anything is written: `recorded` outputs count as made by kahnd where there is no account yet."""
        self._account.open(recorded)

    def close(self) -> None:
        """After the last is written. An account that was removed is made again, for the session to come."""
        with suppress(OSError):  # where it can't, what is in the output folder is to be left alone
            self._account.close()

    def made(self) -> frozenset[OutputPath]:
        """All that kahnd has made and not removed."""
        return frozenset(self._account)

    def publish(self, stage: str, output: OutputPath, digest: Digest) -> Problem | None:
        """Move a finished output into place, whole; a Problem if that can't be done, or would destroy another's file.

        A file that is there and has the same bytes is kahnd's from now on.
        """
        fits = self._is_inside(output)
        if fits and self._is_foreign(output, digest):
            return Problem("a file that kahnd did not make is there", output, 0, "move it away, or change the rule")
        return self._attempt(output, lambda: self._place(self._prefix + stage, output, digest), fits=fits)

    def remove(self, output: OutputPath) -> Problem | None:
        """Remove an output and the folders it leaves empty, if kahnd made it; a folder in its place is not its own."""
        if output not in self._account:
            return None
        fits = self._is_inside(output) or self._is_unlinked(self._root / output)
        return self._attempt(output, lambda: self._remove(output), fits=fits)

    def discard(self, stage: str) -> None:
        """Remove a stage and all in it, if there. What can't be removed is in nobody's way."""
        path = self._root / stage
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def spoilt(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        """Which are not there, or not with bytes of that hash; hashed only where the stat is not as it was made.

        One that has these bytes and is not on the account, whose last lines a power cut may take, is kahnd's.
        """
        absent, altered = set[OutputPath](), set[OutputPath]()
        for output, digest in expected.items():
            status = self._stat(output)
            if status is None:
                absent.add(output)
            elif digest and not self._is_as_made(output, digest, status):
                altered.add(output)
        return Spoilt(frozenset(absent), frozenset(altered))

    def _is_as_made(self, output: OutputPath, digest: Digest, status: os.stat_result) -> bool:
        made = self._account.get(output)
        if made and made == _made(status, digest):
            return True
        if self._hash(output) != digest:
            return False
        with suppress(OSError):  # then it is hashed once more next time
            self._account.confirm(output, made, _made(status, digest))
        return True

    def _is_foreign(self, output: OutputPath, digest: Digest) -> bool:
        if output in self._account or not os.path.lexists(self._prefix + output):
            return False
        path = self._root / output
        is_folder = path.is_dir() and not path.is_symlink()
        return not is_folder and self._hash(output) != digest

    def _stat(self, output: OutputPath) -> os.stat_result | None:
        """Of a regular file."""
        try:
            status = os.lstat(self._prefix + output)  # thousands at a start: a Path takes longer than the look
        except OSError:  # one that can't be looked at can't be put there either, and that is told
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def _hash(self, output: OutputPath) -> Digest | None:
        path = self._root / output
        try:
            return digest_of(path) if is_regular(path) else None
        except OSError:
            return None

    def _attempt(self, output: OutputPath, act: Callable[[], None], *, fits: bool) -> Problem | None:
        if not fits:
            remedy = "remove the link, or correct the rule's `output`"
            return Problem("the output would lie outside of the output folder", output, 0, remedy)
        try:
            act()
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0) or remedy_for(error, "check the output folder")
            message = f"the output can't be written or removed: {error.strerror}"
            return Problem(message, output, 0, remedy, passing=error.errno in PRESSING)
        return None

    def _is_inside(self, output: OutputPath) -> bool:
        """Whether it is in the output folder, also where links on the way there are followed."""
        above, name = posixpath.split(self._prefix + output)
        if name in {"", ".", ".."}:
            return False
        if above.startswith(self._inner) and leads_straight(str(self._folder), above.removeprefix(self._inner)):
            return True
        return Path(os.path.realpath(above)).is_relative_to(os.path.realpath(self._folder))

    def _is_unlinked(self, path: Path) -> bool:
        """Whether it is in the project just as its path says."""
        return path.is_relative_to(self._root) and os.path.realpath(path.parent) == str(path.parent)

    def _place(self, stage: str, output: OutputPath, digest: Digest) -> None:
        path = self._prefix + output
        with self._account.entered(output, _made(os.lstat(stage), digest)):
            try:
                _move(stage, path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _copy_over(Path(stage), Path(path))
                self._account.enter(output, _made(os.lstat(path), digest))

    def _remove(self, output: OutputPath) -> None:
        path = self._root / output
        with suppress(FileNotFoundError, NotADirectoryError):
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                path.unlink()
        self._prune(path.parent)
        self._account.enter(output, None)

    def _prune(self, folder: Path) -> None:
        while folder not in {self._folder, self._root} and folder.is_relative_to(self._root):
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:  # not empty, or not ours to remove
                return
            folder = folder.parent


def _move(stage: str, path: str) -> None:
    """Into place at once; its folder is mostly there."""
    try:
        os.replace(stage, path)  # noqa: PTH105 - for every output
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage, path)  # noqa: PTH105


def _made(status: os.stat_result, digest: Digest) -> Made:
    """A rename keeps all of these: an output is entered as what its stage is."""
    return Made(digest, status.st_size, status.st_mtime_ns, status.st_ino)


def _copy_over(stage: Path, path: Path) -> None:
    """Across file systems a rename is not possible: copy beside the place first, so that nothing torn is seen."""
    beside = path.with_name(path.name + _TEMPORARY)
    try:
        with stage.open("rb") as source, beside.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    stage.unlink()
