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
from kahnd.core.rules import is_below
from kahnd.core.runs import STAGES
from kahnd.own_files import STATE_FOLDER, NotOwnError, folder, leads_straight
from kahnd.ports import PRESSING, Spoilt
from kahnd.render.account import ACCOUNT, Account, Made
from kahnd.render.files import digest_of, is_regular, remedy_for
from kahnd.render.rendering import CONFIG_FILE

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
"""So many files are named where many are told of."""


class FileOutputs:
    """`output` is the project's output folder. Nothing outside of it is written, and nothing through a link.

    A file there is overwritten or removed only if kahnd made it and it is as kahnd made it. An output that database
    and account both know of is overwritten whatever became of it.

    What was made in another output folder, when the project had that one, is removed from there if its stat, too, is
    as it was made. What lies in `sources` is a document, and stays. `kept`: whether an account of what kahnd makes is
    written.

    Raises NotOwnError where the account can't be kahnd's, and OSError where it can't be read.
    """

    def __init__(self, root: Path, output: str, sources: Iterable[str] = (), *, kept: bool = True) -> None:
        self._root = root
        self._top = str(root)
        self._prefix = f"{root}/"
        self._output = output
        self._inner = f"{output}/"
        self._folder = root / output
        self._sources = tuple(sources)
        self._account = Account(root, kept=kept)
        self._recorded: Mapping[OutputPath, Digest | None] = {}
        self._known: set[OutputPath] = set()
        self._foreign = frozenset(each for each in self._account if self._is_out_of_reach(each))

    def open(self, recorded: Mapping[OutputPath, Digest | None]) -> None:
        """Before anything is written: what the account names and kahnd did not make is forgotten.

        `recorded` outputs, with the hash of their bytes, count as made by kahnd where there is no account yet.
        """
        self._account.open(recorded)
        self._recorded = recorded
        for each in self._foreign:
            with suppress(OSError):  # then it is known to be foreign for as long as this session lasts
                self._account.enter(each, None)

    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the account as it was found, each with its remedy."""
        lost, there = self._account.lost, sorted(each for each in self._foreign if os.path.lexists(self._root / each))
        found = []
        if lost:
            lines = f"{len(lost)} lines" if len(lost) > 1 else "this line"
            message = f"{lines} of kahnd's account of outputs can't be read, and counts as lost"
            remedy = "outputs that were named there and that nothing makes any more are yours to remove"
            found.append(Problem(message, ACCOUNT, lost[0], remedy))
        if there:
            message = f"the account of outputs names files that kahnd did not make: {_some(there)}"
            found.append(Problem(message, ACCOUNT, 0, "they are left alone, and not named there any more"))
        return tuple(found)

    def close(self) -> None:
        """After the last is written. An account that was removed is made again, for the session to come."""
        with suppress(OSError):  # where it can't, what is in the output folder is to be left alone
            self._account.close()

    def made(self) -> frozenset[OutputPath]:
        """All that kahnd has made and not removed, by its account."""
        return frozenset(self._account) - self._foreign

    def is_made(self, output: OutputPath) -> bool:
        """Whether that is among them."""
        return output in self._account and output not in self._foreign

    def removable(self) -> frozenset[OutputPath]:
        """All that is there as kahnd made it."""
        return frozenset(each for each in self.made() if self._stat(each) and not self._kept_for(each))

    def publish(self, stage: str, output: OutputPath, digest: Digest) -> Problem | None:
        """Move a finished output into place, whole; a Problem if that can't be done, or would destroy another's file.

        A file that is there and has the same bytes is kahnd's from now on.
        """
        fits = self._is_inside(output)
        if fits and self._is_foreign(output, digest):
            return Problem("a file that kahnd did not make is there", output, 0, "move it away, or change the rule")
        return self._attempt(output, lambda: self._place(self._prefix + stage, output, digest), fits=fits)

    def remove(self, output: OutputPath) -> Problem | None:
        """Remove an output and the folders it leaves empty, if kahnd made it and it is as it was made.

        Otherwise it is kept, and forgotten; the Problem says why. A folder in its place is not its own.
        """
        if not self.is_made(output):
            return None
        fits = leads_straight(self._top, posixpath.dirname(output))
        kept = self._kept_for(output) if fits else ""
        problem = self._attempt(output, lambda: self._remove(output, keep=bool(kept)), fits=fits)
        return Problem(kept, output, 0, "it is kept; remove it if you do not want it") if kept else problem

    def discard(self, stage: str) -> None:
        """Remove a stage and all in it, if there. What can't be removed is in nobody's way."""
        if not leads_straight(self._top, posixpath.dirname(stage)):
            return
        path = self._root / stage
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def discard_stages(self) -> None:
        """Remove what earlier runs left. Raises NotOwnError where a link or a file stands in the stages' place."""
        with suppress(FileNotFoundError), folder(self._root, STAGES) as stages:
            left = [each for each in os.listdir(stages) if each.isdecimal()]  # noqa: PTH208 - of a descriptor
            for each in left:
                self.discard(f"{STAGES}/{each}")

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
        self._known.add(output)
        return True

    def _is_known(self, output: OutputPath) -> bool:
        """Whether it was made in this session, or the account says of it what the database does."""
        if output in self._known:
            return True
        made, digest = self._account.get(output), self._recorded.get(output)
        return made is not None and digest is not None and made.hash == digest

    def _is_foreign(self, output: OutputPath, digest: Digest) -> bool:
        """Whether something is there that kahnd did not make. A folder is for the system to refuse."""
        status = self._stat_of_any(output)
        if status is None or stat.S_ISDIR(status.st_mode):
            return False
        if not stat.S_ISREG(status.st_mode):
            return True
        if self._is_known(output):
            return False
        made = self._account.get(output)
        if made and made == _made(status, made.hash):
            return False
        there = self._hash(output)
        return there is None or there not in {digest, made.hash if made else None}

    def _is_out_of_reach(self, output: OutputPath) -> bool:
        """Whether a line of the account names what can't be an output, or not one that kahnd may remove.

        In a former output folder a hash alone proves nothing: whoever wrote the line may know what is in the file.
        """
        if output.startswith(self._inner):
            return False
        if output == CONFIG_FILE or is_below(output, STATE_FOLDER) or self._is_source(output):
            return True
        status, made = self._stat(output), self._account.get(output)
        return status is None or made is None or made != _made(status, made.hash)

    def _is_source(self, path: str) -> bool:
        """Whether it is in a source folder, or one is in it."""
        return any(is_below(path, each) or is_below(each, path) for each in self._sources)

    def _kept_for(self, output: OutputPath) -> str:
        """Why what stands in an output's place is not to be removed; "" where it is, or nothing is there."""
        status, made = self._stat_of_any(output), self._account.get(output)
        if status is None or made is None or stat.S_ISDIR(status.st_mode):
            return ""
        if not stat.S_ISREG(status.st_mode):
            return "something that kahnd did not make is in the output's place"
        if made == _made(status, made.hash):
            return ""
        as_made = output.startswith(self._inner) and made.hash is not None and self._hash(output) == made.hash
        return "" if as_made else "the output is not as kahnd made it"

    def _stat_of_any(self, output: OutputPath) -> os.stat_result | None:
        try:
            return os.lstat(self._prefix + output)
        except OSError:
            return None

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
        """Whether it is in the output folder just as its path says: no link, no dots on the way."""
        return output.startswith(self._inner) and leads_straight(self._top, posixpath.dirname(output))

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
        self._known.add(output)

    def _remove(self, output: OutputPath, *, keep: bool) -> None:
        path = self._root / output
        if not keep:
            with suppress(FileNotFoundError, NotADirectoryError):
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    path.unlink()
            self._prune(path.parent)
        self._account.enter(output, None)
        self._known.discard(output)

    def _prune(self, above: Path) -> None:
        while above not in {self._folder, self._root} and above.is_relative_to(self._root):
            try:
                above.rmdir()
            except FileNotFoundError:
                pass
            except OSError:  # not empty, or not ours to remove
                return
            above = above.parent


def _move(stage: str, path: str) -> None:
    """Into place at once; its folder is mostly there."""
    try:
        os.replace(stage, path)  # noqa: PTH105 - for every output
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(stage, path)  # noqa: PTH105


def _some(paths: list[OutputPath]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return f"{', '.join(paths[:_NAMED])}{more}"


def _made(status: os.stat_result, digest: Digest | None) -> Made:
    """A rename keeps all of these: an output is entered as what its stage is."""
    return Made(digest, status.st_size, status.st_mtime_ns, status.st_ino)


def _copy_over(stage: Path, path: Path) -> None:
    """Across file systems a rename is not possible: copy beside the place first, so that nothing torn is seen."""
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
