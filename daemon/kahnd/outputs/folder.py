"""Publishes and removes outputs, and empties the staging folders: nothing else writes to the output folder."""

from __future__ import annotations

import errno
import os
import posixpath
import shutil
import stat
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from kahnd.core.events import StagedOutput
from kahnd.core.model import Digest, OutputPath, Problem
from kahnd.core.output_paths import is_generated
from kahnd.core.project_files import (
    CACHE_STATE,
    CACHES,
    CONFIG_FILE,
    OUTPUT_JOURNAL,
    STAGES,
    STATE_FOLDER,
    is_cache_name,
)
from kahnd.core.rules import is_below
from kahnd.outputs.journal import Made, OutputJournal
from kahnd.platform.files import hash_file, is_regular, remedy_for
from kahnd.platform.owned_files import NotOwnError, is_link_free, open_folder
from kahnd.ports import PRESSING, Spoilt

_REMEDIES: Final = {
    errno.EROFS: "mount the file system writable, or set another `output`",
    errno.EACCES: "give yourself write permission there",
    errno.EPERM: "give yourself write permission there",
    errno.ENOTDIR: "move away the file that stands where a folder is needed",
    errno.EEXIST: "move away the file that stands where a folder is needed",
    errno.EISDIR: "move away the folder that stands where the output goes",
}
_TEMPORARY: Final = ".kahnd-tmp"
_NAMED: Final = 5
"""How many files a message names at most."""


class FileOutputs:
    """Implements ports.Outputs. Nothing is written outside of `output`, the output folder, or through a link.

    A file is overwritten or removed only if kahnd made it and it has not changed since. An output that both the
    database and the journal know is overwritten even if it has changed.

    Outputs in a former output folder are removed only if their stat, too, is as recorded. Files in `sources` are
    documents and stay. `kept`: whether the journal is written, or only read.

    Raises NotOwnError if the journal is not a regular file of the user's, and OSError if it can't be read.
    """

    def __init__(self, root: Path, output: str, sources: Iterable[str] = (), *, kept: bool = True) -> None:
        self._root = root
        self._top = str(root)
        self._prefix = f"{root}/"
        self._output = output
        self._inner = f"{output}/"
        self._folder = root / output
        self._sources = tuple(sources)
        self._journal = OutputJournal(root, kept=kept)
        self._recorded: Mapping[OutputPath, Digest | None] = {}
        self._known: set[OutputPath] = set()
        self._foreign = frozenset(each for each in self._journal if self._is_out_of_reach(each))

    def open(self, recorded: Mapping[OutputPath, Digest | None]) -> None:
        """Prepare for writing: drop the journal's entries for files that kahnd did not make.

        `recorded` outputs, with their hashes, count as made by kahnd if there is no journal yet.
        """
        self._journal.open(recorded)
        self._recorded = recorded
        for each in self._foreign:
            with suppress(OSError):  # then it is known to be foreign for as long as this session lasts
                self._journal.enter(each, None)

    def problems(self) -> tuple[Problem, ...]:
        """Return what was wrong with the journal when it was read, with remedies."""
        lost, there = self._journal.lost, sorted(each for each in self._foreign if os.path.lexists(self._root / each))
        found = []
        if lost:
            lines = f"{len(lost)} lines" if len(lost) > 1 else "this line"
            message = f"{lines} of kahnd's journal of outputs can't be read, and counts as lost"
            remedy = "outputs that were named there and that nothing makes any more are yours to remove"
            found.append(Problem(message, OUTPUT_JOURNAL, lost[0], remedy))
        if there:
            message = f"the journal of outputs names files that kahnd did not make: {_some(there)}"
            found.append(Problem(message, OUTPUT_JOURNAL, 0, "they are left alone, and not named there any more"))
        return tuple(found)

    def close(self) -> None:
        """Close the journal after the last write. If it was removed, it is written anew for the next session."""
        with suppress(OSError):  # without a journal, the next session leaves the outputs alone
            self._journal.close()

    def made(self) -> frozenset[OutputPath]:
        """Return all outputs that kahnd has made and not removed, by its journal."""
        return frozenset(self._journal) - self._foreign

    def is_made(self, output: OutputPath) -> bool:
        """Tell whether kahnd has made this output and not removed it."""
        return output in self._journal and output not in self._foreign

    def removable(self) -> frozenset[OutputPath]:
        """Return all outputs that exist and have not changed since kahnd made them."""
        return frozenset(each for each in self.made() if self._stat(each) and not self._kept_for(each))

    def publish(self, staged: Sequence[StagedOutput]) -> Problem | None:
        """Move staged outputs into place, each by a rename. A Problem says why one failed, or what is in its place.

        A file that is there already with the same bytes is kahnd's from now on.
        """
        fitting = frozenset(each.output for each in staged if self._is_inside(each.output))
        for each in staged:
            if each.output in fitting and self._is_foreign(each.output, each.digest):
                message, remedy = "a file that kahnd did not make is there", "move it away, or change the rule"
                return Problem(message, each.output, 0, remedy)
        problems = (
            self._attempt(each.output, partial(self._place, each), fits=each.output in fitting) for each in staged
        )
        return next(filter(None, problems), None)

    def remove(self, output: OutputPath) -> Problem | None:
        """Remove an output that kahnd made and nobody changed, and the folders that are empty then.

        Any other file is kept, and its entry dropped; the Problem says why. A folder in the output's place stays.
        """
        if not self.is_made(output):
            return None
        fits = is_link_free(self._top, posixpath.dirname(output))
        kept = self._kept_for(output) if fits else ""
        problem = self._attempt(output, lambda: self._remove(output, keep=bool(kept)), fits=fits)
        return Problem(kept, output, 0, "it is kept; remove it if you do not want it") if kept else problem

    def discard(self, stage: str) -> None:
        """Remove a staging folder and all in it, if it exists. If that fails, the next session tries again."""
        if not is_link_free(self._top, posixpath.dirname(stage)):
            return
        path = self._root / stage
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()

    def discard_stages(self) -> None:
        """Remove the staging folders of earlier sessions. Raises NotOwnError if a link or a file is in their place."""
        with suppress(FileNotFoundError), open_folder(self._root, STAGES) as stages:
            left = [each for each in os.listdir(stages) if each.isdecimal()]  # noqa: PTH208 - of a descriptor
            for each in left:
                self.discard(f"{STAGES}/{each}")

    def discard_cache(self, folder: str) -> None:
        """Remove a folder that a program kept between runs, and the record of its state, if they exist."""
        self.discard(folder)
        self.discard(f"{folder}{CACHE_STATE}")

    def discard_caches(self, kept: Container[str]) -> None:
        """Remove the folders of earlier sessions' programs, except for those in `kept`. Raises NotOwnError."""
        with suppress(FileNotFoundError), open_folder(self._root, CACHES) as caches:
            names = filter(is_cache_name, os.listdir(caches))  # noqa: PTH208 - of a descriptor
            for folder in {f"{CACHES}/{each.removesuffix(CACHE_STATE)}" for each in names}:
                if folder not in kept:
                    self.discard_cache(folder)

    def spoilt(self, expected: Mapping[OutputPath, Digest | None]) -> Spoilt:
        """Return which of these are absent, or have another hash. A file is hashed only if its stat is not as recorded.

        A file with the expected hash that the journal does not name is kahnd's: a power cut may take the last lines.
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
        made = self._journal.get(output)
        if made and made == _made(status, digest):
            return True
        if self._hash(output) != digest:
            return False
        with suppress(OSError):  # it is hashed again next time
            self._journal.confirm(output, made, _made(status, digest))
        self._known.add(output)
        return True

    def _is_known(self, output: OutputPath) -> bool:
        """Tell whether it was made in this session, or journal and database agree on its hash."""
        if output in self._known:
            return True
        made, digest = self._journal.get(output), self._recorded.get(output)
        return made is not None and digest is not None and made.hash == digest

    def _is_foreign(self, output: OutputPath, digest: Digest) -> bool:
        """Tell whether kahnd did not make what is in the output's place. The rename itself fails over a folder."""
        status = self._stat_of_any(output)
        if status is None or stat.S_ISDIR(status.st_mode):
            return False
        if not stat.S_ISREG(status.st_mode):
            return True
        if self._is_known(output):
            return False
        made = self._journal.get(output)
        if made and made == _made(status, made.hash):
            return False
        there = self._hash(output)
        return there is None or there not in {digest, made.hash if made else None}

    def _is_out_of_reach(self, output: OutputPath) -> bool:
        """Tell whether a line of the journal names a file that can't be an output, or that kahnd may not remove.

        In a former output folder, a hash alone proves nothing: the author of a forged line may know the file.
        """
        if self._is_ours(output):
            return False
        if output == CONFIG_FILE or is_below(output, STATE_FOLDER) or self._is_source(output):
            return True
        status, made = self._stat(output), self._journal.get(output)
        return status is None or made is None or made != _made(status, made.hash)

    def _is_source(self, path: str) -> bool:
        """Tell whether a path is in a source folder, or contains one."""
        return any(is_below(path, each) or is_below(each, path) for each in self._sources)

    def _kept_for(self, output: OutputPath) -> str:
        """Return why the file in an output's place is not removed; "" if it is, or if there is none."""
        status, made = self._stat_of_any(output), self._journal.get(output)
        if status is None or made is None or stat.S_ISDIR(status.st_mode):
            return ""
        if not stat.S_ISREG(status.st_mode):
            return "something that kahnd did not make is in the output's place"
        if made == _made(status, made.hash):
            return ""
        as_made = self._is_ours(output) and made.hash is not None and self._hash(output) == made.hash
        return "" if as_made else "the output is not as kahnd made it"

    def _stat_of_any(self, output: OutputPath) -> os.stat_result | None:
        try:
            return os.lstat(self._prefix + output)
        except OSError:
            return None

    def _stat(self, output: OutputPath) -> os.stat_result | None:
        """Return the stat of a regular file; None for anything else."""
        try:
            status = os.lstat(
                self._prefix + output
            )  # called thousands of times at a start: a Path would cost more than the call
        except OSError:  # publishing fails for the same reason, and reports it
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def _hash(self, output: OutputPath) -> Digest | None:
        path = self._root / output
        try:
            return hash_file(path) if is_regular(path) else None
        except OSError:
            return None

    def _attempt(self, output: OutputPath, act: Callable[[], None], *, fits: bool) -> Problem | None:
        if not fits:
            remedy = "remove the link, or correct the rule's `output`"
            message = "a link is on the way to the output, or it lies outside of the output folder"
            return Problem(message, output, 0, remedy)
        try:
            act()
        except NotOwnError as error:
            return Problem(f"{error.filename}: {error.strerror}", output, 0, error.remedy)
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0) or remedy_for(error, "check the output folder")
            message = f"the output can't be written or removed: {error.strerror}"
            return Problem(message, output, 0, remedy, passing=error.errno in PRESSING)
        return None

    def _is_inside(self, output: OutputPath) -> bool:
        """Tell whether an output may be written: its path is in a folder of outputs, without links or `..`."""
        return self._is_ours(output) and is_link_free(self._top, posixpath.dirname(output))

    def _is_ours(self, output: OutputPath) -> bool:
        """Tell whether a path is in the output folder, or in that of generated documents."""
        return output.startswith(self._inner) or is_generated(output)

    def _place(self, staged: StagedOutput) -> None:
        stage, output, digest = self._prefix + staged.stage, staged.output, staged.digest
        path, status = self._prefix + output, os.lstat(stage)
        if not (stat.S_ISREG(status.st_mode) and is_link_free(self._top, posixpath.dirname(staged.stage))):
            raise NotOwnError(staged.stage, "what was rendered is no regular file any more", "render it again")
        with self._journal.entered(output, _made(status, digest)):
            try:
                _move(stage, path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _copy_over(Path(stage), Path(path))
                self._journal.enter(output, _made(os.lstat(path), digest))
        self._known.add(output)

    def _remove(self, output: OutputPath, *, keep: bool) -> None:
        path = self._root / output
        if not keep:
            with suppress(FileNotFoundError, NotADirectoryError):
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    path.unlink()
            self._prune(path.parent)
        self._journal.enter(output, None)
        self._known.discard(output)

    def _prune(self, above: Path) -> None:
        while above not in {self._folder, self._root} and above.is_relative_to(self._root):
            try:
                above.rmdir()
            except FileNotFoundError:
                pass
            except OSError:  # not empty, or without permission
                return
            above = above.parent


def _move(stage: str, path: str) -> None:
    """Rename a staged output into place. Its folder is made only if that fails: it mostly exists."""
    try:
        os.replace(stage, path)  # noqa: PTH105 - for every output
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage, path)  # noqa: PTH105


def _some(paths: list[OutputPath]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"{', '.join(paths[:_NAMED])}{more}"


def _made(status: os.stat_result, digest: Digest | None) -> Made:
    """Describe a file. A rename keeps all of this, so an output is recorded by the stat of its staged file."""
    return Made(digest, status.st_size, status.st_mtime_ns, status.st_ino)


def _copy_over(stage: Path, path: Path) -> None:
    """Copy across file systems to a temporary file beside the output, and rename that: readers see no torn output."""
    beside = path.with_name(f"{path.name}.{os.urandom(4).hex()}{_TEMPORARY}")
    try:
        with stage.open("rb") as source, beside.open("xb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    stage.unlink()
