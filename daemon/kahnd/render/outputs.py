"""The output folder and the stages: the only place that writes or removes outputs."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from kahnd.core.model import Digest, OutputPath, Problem
from kahnd.render.files import digest_of, is_regular

_REMEDIES: Final = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room: the disk quota is used up",
    errno.EROFS: "mount the file system writable, or set another `output`",
    errno.EACCES: "give yourself write permission there",
    errno.EPERM: "give yourself write permission there",
    errno.ENOTDIR: "move away the file that stands where a folder is needed",
    errno.EEXIST: "move away the file that stands where a folder is needed",
    errno.EISDIR: "move away the folder that stands where the output goes",
    errno.ENAMETOOLONG: "give the document or the rule's `output` a shorter name",
}
_TEMPORARY: Final = ".kahnd-tmp"


class FileOutputs:
    """`folder` is the project's output folder; nothing outside of it is written, links or not.

    What was made in another, when the project had that one, is removed from there, unless a link leads to it.
    """

    def __init__(self, root: Path, folder: str) -> None:
        self._root = root
        self._folder = root / folder

    def publish(self, stage: str, output: OutputPath) -> Problem | None:
        """Move a finished output into place, whole; a Problem if that can't be done."""
        fits = self._inside(self._root / output)
        return self._attempt(output, lambda: self._place(self._root / stage, self._root / output), fits=fits)

    def remove(self, output: OutputPath) -> Problem | None:
        """Remove an output and the folders it leaves empty, if there; a folder in its place is not kahnd's."""
        path = self._root / output
        return self._attempt(output, lambda: self._remove(path), fits=self._inside(path) or self._unlinked(path))

    def discard(self, stage: str) -> None:
        """Remove a stage and all in it, if there. What can't be removed is in nobody's way."""
        path = self._root / stage
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def absent(self, outputs: Iterable[OutputPath]) -> frozenset[OutputPath]:
        """Which of these are not there as regular files."""
        return frozenset(output for output in outputs if not is_regular(self._root / output))

    def altered(self, outputs: Mapping[OutputPath, Digest]) -> frozenset[OutputPath]:
        """Which of these are not there with bytes of that hash."""
        return frozenset(output for output, digest in outputs.items() if self._hash(output) != digest)

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
            remedy = _REMEDIES.get(error.errno or 0, "check the output folder")
            return Problem(f"the output can't be written or removed: {error.strerror}", output, 0, remedy)
        return None

    def _inside(self, path: Path) -> bool:
        parent = os.path.realpath(path.parent)
        return path.name not in {"", ".", ".."} and Path(parent).is_relative_to(os.path.realpath(self._folder))

    def _unlinked(self, path: Path) -> bool:
        """Whether it is in the project just as its path says."""
        return path.is_relative_to(self._root) and os.path.realpath(path.parent) == str(path.parent)

    def _place(self, stage: Path, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            stage.replace(path)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy_over(stage, path)

    def _remove(self, path: Path) -> None:
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                return
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        self._prune(path.parent)

    def _prune(self, folder: Path) -> None:
        while folder not in {self._folder, self._root} and folder.is_relative_to(self._root):
            try:
                folder.rmdir()
            except OSError:  # not empty, or not ours to remove
                return
            folder = folder.parent


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
