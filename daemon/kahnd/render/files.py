"""Reads files of the project for renderers: only regular files inside the project, of bounded size; and cuts parts out.

Anchors in code are those of mdBook, `ANCHOR: name` to `ANCHOR_END: name`, and of MkDocs' snippets,
`--8<-- [start:name]` to `--8<-- [end:name]`, in a line of their own, usually a comment. `StagedFiles` are the outputs
that a renderer writes.
"""

from __future__ import annotations

import codecs
import os
import posixpath
import re
import resource
import stat
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Final

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Declared, Digest, DocumentId, Job, OutputPath, Problem
from kahnd.core.output_paths import (
    folders_above,
    generated_file,
    named_outputs,
    outputs_of,
    stage_folder,
    stage_of_declared,
    stages,
)
from kahnd.core.project_files import CONFIG_FILE, STATE_FOLDER
from kahnd.core.rules import Layout, is_below, path_error
from kahnd.core.text import find_similar, shortened
from kahnd.platform.files import break_hard_links, hash_file, is_regular, remedy_for, remove_any
from kahnd.platform.owned_files import is_link_free
from kahnd.ports import PRESSING

_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PAGE: Final = 1 << 12
MAX_OUTPUTS: Final = 10_000
"""Files that one document may make in its folder, and documents that it may declare."""
_NAMED: Final = 5
MAX_BYTES: Final = 256 * 1024 * 1024


def similar_file(root: Path, path: str) -> str | None:
    """A file in the same folder whose name looks the same; None if the file itself exists or there is none."""
    folder, slash, name = path.rpartition("/")
    try:
        names = [each.name for each in os.scandir(root / folder)]
    except OSError:
        return None
    similar = None if name in names else find_similar(name, names)
    return f"{folder}{slash}{similar}" if similar else None


class OutsideError(Exception):
    """A path leads out of the project through a symbolic link."""


class UnreadableError(Exception):
    """A file exists and can't be read, since it is too large or no regular file; the message says which."""


UNREADABLE: Final = (OSError, OutsideError, UnreadableError)
"""What `read_inside` raises."""


class ProblemError(Exception):
    """A rendering fails; carries the problem that is reported to the user."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def place_of(root: Path | str, document: str) -> str:
    """The project path of the file that stands for a document: its own, or that of a generated document."""
    if os.path.lexists(f"{root}/{document}"):
        return document
    generated = generated_file(document)
    return generated if os.path.isfile(f"{root}/{generated}") else document  # noqa: PTH113 - as above


def document_at(path: str) -> DocumentId:
    """The document that a file is by its path, or that it stands for."""
    return DocumentId(path.removeprefix(generated_file("")))


def read_inside(root: Path, path: str) -> bytes:
    """The bytes of a document, or of another file of the project; `root` is the project's real path.

    Raises FileNotFoundError, OutsideError (a link out of the project), UnreadableError (no regular file, or too large),
    or another OSError.
    """
    try:
        return _read_inside(root, path)
    except (FileNotFoundError, NotADirectoryError):
        return _read_inside(root, generated_file(path))


def _read_inside(root: Path, path: str) -> bytes:
    real = f"{root}/{path}" if is_link_free(str(root), path) else os.path.realpath(root / path)
    if not real.startswith(os.path.join(root, "")):  # noqa: PTH118 - called for every file that is read
        raise OutsideError(path)
    return read_regular(real, path)


def read_regular(file: Path | str, name: str) -> bytes:
    """The bytes of a regular file; messages call it `name`. Raises UnreadableError, or OSError.

    Opens without blocking, since a named pipe would hold a worker until its time limit.
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
        raise UnreadableError(f"{path} is no regular file")
    if status.st_size > MAX_BYTES:
        raise UnreadableError(f"{path} is larger than {MAX_BYTES // 2**20} MiB")
    return status.st_size


def outside(reference: str, file: str, line: int) -> Problem:
    """The problem of a reference, in that place, which leads out of the project."""
    return Problem(f"{reference} leads out of the project", file, line, "move it into the project")


def unreadable(target: str, error: Exception, file: str, line: int = 0) -> Problem:
    """The problem of a file, named in that place, which `read_inside` could not read."""
    if isinstance(error, OutsideError):
        return outside(target, file, line)
    if not isinstance(error, OSError):
        return Problem(f"can't read {target}: {error}", file, line, "check the file")
    passing = error.errno in PRESSING and not isinstance(error, PermissionError)
    remedy = remedy_for(error, "check the file and its permissions")
    return Problem(f"can't read {target}: {error.strerror}", file, line, remedy, passing=passing)


def decode(content: bytes, path: str) -> str:
    """The bytes as text, without a byte order mark. Raises ProblemError if they are not UTF-8."""
    if content.startswith(_UTF_16):
        raise ProblemError(Problem("is UTF-16, by its first two bytes", path, 1, "save it as UTF-8"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte {error.start} is 0x{content[error.start]:02x}"
        raise ProblemError(Problem(message, path, line, "save it as UTF-8")) from error


_ANCHOR: Final = re.compile(
    r"(?<!\w)ANCHOR(?P<end>_END)?:[ \t]*(?P<name>[\w-]+)"
    r"|-+8<-+[ \t]*\[[ \t]*(?P<mark>start|end):[ \t]*(?P<section>[\w-]+)"
)
_LINES: Final = re.compile(r"(\d{1,9})?(-)?(\d{1,9})?")


def excerpt(text: str, path: str, *, anchor: str = "", lines: str = "") -> str:
    """A part of a file's text, without anchors and common indentation; all of it without `anchor` and `lines`.

    `lines` is like "3-9", "3-" or "1,4-6", counted from the anchor if there is one. Raises ProblemError, which names no
    place, if there is no such part.
    """
    kept = text.split("\n")
    kept = kept[:-1] if kept[-1] == "" else kept
    if anchor:
        kept = _anchored(kept, anchor, path)
    if lines:
        name = f"{anchor!r} in {path}" if anchor else path
        kept = [line for each in lines.split(",") for line in _chosen(kept, each.strip(), name)]
    shown = "".join(f"{line}\n" for line in kept if not _ANCHOR.search(line))
    return textwrap.dedent(shown) if anchor or lines else shown


def _chosen(lines: list[str], chosen: str, path: str) -> list[str]:
    found = _LINES.fullmatch(chosen)
    if not found or not (found[1] or found[3]) or (found[3] and not found[2]):
        raise ProblemError(Problem(f"{chosen!r} is no range of lines", remedy='write "3-9", "3-" or "1,4-6"'))
    first = int(found[1] or 1)
    last = int(found[3] or len(lines)) if found[2] else first
    if not 1 <= first <= last <= len(lines):
        raise ProblemError(Problem(f"{path} has no lines {chosen}: it has {len(lines)}", remedy="correct the range"))
    return lines[first - 1 : last]


def _anchored(lines: list[str], anchor: str, path: str) -> list[str]:
    marks = [(number, found) for number, line in enumerate(lines) if (found := _ANCHOR.search(line))]
    starts = [(number, name) for number, mark in marks if (name := _starts(mark))]
    start = next((number for number, name in starts if name == anchor), None)
    if start is None:
        close = get_close_matches(anchor, [name for _, name in starts], n=1)
        known = f"did you mean {close[0]!r}?" if close else f"write `ANCHOR: {anchor}` before the part there"
        raise ProblemError(Problem(f"{path} has no anchor {anchor!r}", remedy=known))
    ends = (number for number, mark in marks if number > start and _ends(mark) == anchor)
    end = next(ends, None)
    if end is None:
        remedy = f"write `ANCHOR_END: {anchor}` after the part there"
        raise ProblemError(Problem(f"the anchor {anchor!r} in {path} is not closed", remedy=remedy))
    return lines[start + 1 : end]


def _starts(mark: re.Match[str]) -> str:
    if mark["section"]:
        return mark["section"] if mark["mark"] == "start" else ""
    return "" if mark["end"] else mark["name"]


def _ends(mark: re.Match[str]) -> str:
    return "" if _starts(mark) else mark["section"] or mark["name"]


@dataclass(frozen=True)
class StagedFiles:
    """The outputs of a job in their stages: one, several, or those in a folder."""

    root: Path
    job: Job

    @property
    def _fills_folder(self) -> bool:
        return self.job.output.endswith("/")

    def prepare(self) -> None:
        """Create the folder to fill, or those that several outputs are written to. Raises OSError."""
        if self._fills_folder:
            (self.root / self.job.stage).mkdir(parents=True)
        for stage in stages(self.job) if self.job.more else ():
            (self.root / stage).parent.mkdir(parents=True, exist_ok=True)

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Write outputs, named by a path in the folder or as `output()` names them; no other may be left out.

        Raises ProblemError for a name that does not fit, and OSError.
        """
        placed = {self._stage_of(name): content for name, content in contents.items()}
        remove_any(self.root / stage_folder(self.job))
        self.prepare()
        for stage, content in placed.items():
            (self.root / stage).parent.mkdir(parents=True, exist_ok=True)
            (self.root / stage).write_bytes(content)
        if absent := self.absent():
            raise self._unfit(f"no content was made for {', '.join(absent)}", "make all outputs that its rule names")

    def _stage_of(self, name: str) -> str:
        outputs = outputs_of(self.job)
        error = path_error(name)
        named = [] if error or not name or name.endswith("/") else named_outputs(outputs, name)
        if len(named) != 1:
            where = f"a path in {outputs[0]}" if self._fills_folder else f"one of {', '.join(outputs[:_NAMED])}"
            message = f"{shortened(name)!r} is none of its outputs" + (f": {error}" if error else "")
            raise self._unfit(message, f"name {where}")
        if self._fills_folder:
            return f"{self.job.stage}/{named[0][len(outputs[0]) :]}"
        return stages(self.job)[outputs.index(named[0])]

    def absent(self) -> list[str]:
        """The outputs that were not written, by name."""
        if self._fills_folder:
            is_filled = next(_files_in(f"{self.root}/{self.job.stage}"), None) is not None
            return [] if is_filled else [self.job.output]
        made = zip(outputs_of(self.job), stages(self.job), strict=True)
        return [posixpath.basename(each) for each, stage in made if not is_regular(f"{self.root}/{stage}")]

    def paths(self) -> list[tuple[OutputPath, str]]:
        """All outputs, each with the path of its stage; of a folder no more than one beyond MAX_OUTPUTS."""
        if not self._fills_folder:
            return list(zip(outputs_of(self.job), stages(self.job), strict=True))
        inside = islice(_files_in(f"{self.root}/{self.job.stage}"), MAX_OUTPUTS + 1)
        return [(OutputPath(self.job.output + each), f"{self.job.stage}/{each}") for each in sorted(inside)]

    def collect(self) -> tuple[tuple[OutputPath, Digest], ...]:
        """All outputs with their hashes, each a file of its own. Raises ProblemError if one is unfit, and OSError."""
        staged = self.paths()
        if len(staged) > MAX_OUTPUTS:
            raise self._unfit(f"more than {MAX_OUTPUTS:,} files were made", "make fewer, or split the document")
        most, size = resource.getrlimit(resource.RLIMIT_FSIZE)[0], 0
        for output, stage in staged:
            size += self._checked(output, stage).st_size
            if most != resource.RLIM_INFINITY and size > most:
                raise self._unfit(f"the outputs are larger than {most >> 20} MB", "allow more with output_mb in [pool]")
        return tuple((output, hash_file(f"{self.root}/{stage}")) for output, stage in staged)

    def _checked(self, output: OutputPath, stage: str) -> os.stat_result:
        status = os.lstat(self.root / stage)
        if not stat.S_ISREG(status.st_mode):
            raise self._unfit(f"{output} is a link, or no regular file", "write the file itself")
        if error := path_error(output):
            raise self._unfit(f"{shortened(output)!r} can be no path: {error}", "give the file another name")
        if status.st_nlink > 1:
            break_hard_links(f"{self.root}/{stage}")
        return status

    def _unfit(self, message: str, remedy: str) -> ProblemError:
        return ProblemError(Problem(message, self.job.document, 0, remedy))


def _files_in(folder: str, inner: str = "") -> Iterator[str]:
    """The paths of all that is in a folder but no folder itself, relative to it; links are not followed."""
    with os.scandir(f"{folder}/{inner}") as entries:
        found = list(entries)
    for each in found:
        path = f"{inner}{each.name}"
        if each.is_dir(follow_symlinks=False):
            yield from _files_in(folder, f"{path}/")
        else:
            yield path


class DocumentFiles:
    """The bytes of documents as a rendering sees them: what its document has declared before is not there."""

    def __init__(self, root: Path, layout: Layout, job: Job) -> None:
        self._root = root
        self._layout = layout
        self._job = job
        self._declared: dict[DocumentId, tuple[bytes, int]] = {}
        self._hidden: set[str] = set()
        self._folders: set[str] = set()

    def __contains__(self, document: str) -> bool:
        places = () if document in self._job.own else (document, generated_file(document))
        return document in self._declared or any(os.path.isfile(f"{self._root}/{each}") for each in places)  # noqa: PTH113

    @property
    def declared(self) -> Mapping[DocumentId, tuple[bytes, int]]:
        """The documents that the rendering has declared so far, each with its bytes and the line that did."""
        return self._declared

    def place_of(self, document: str) -> str:
        """The project path of the file that stands for a document."""
        return place_of(self._root, document)

    def read(self, document: str) -> bytes:
        """The bytes of a document. Raises as `read_inside` does."""
        declared = self._declared.get(DocumentId(document))
        if declared is None and document in self._job.own:
            raise FileNotFoundError(document)
        return declared[0] if declared else read_inside(self._root, document)

    def shows(self, document: str) -> bool:
        """Tell whether there is a document, and it is not one that this rendering declares as a draft."""
        return document in self and document not in self._hidden

    def declare(
        self, document: DocumentId, content: bytes, location: tuple[str, int], appears_at: int | None = None
    ) -> None:
        """Declare a document with these bytes. Raises ProblemError, at this file and line, if it can't be one.

        `appears_at`: when it is shown, in seconds since 1970.
        """
        file, line = location
        known = self._declared.get(document)
        if known and known[0] != content:
            reason = "it is declared twice, with other contents"
        elif len(self._declared) >= MAX_OUTPUTS:
            reason = f"more than {MAX_OUTPUTS:,} documents are declared here"
        else:
            reason = self._unfit(document)
        if reason:
            remedy = "declare another path, in a source folder"
            raise ProblemError(Problem(f"can't declare {document}: {reason}", file, line, remedy))
        self._declared.setdefault(document, (content, line if file == self._job.document else 0))
        self._folders.update(folders_above(document))
        if self._layout.hides(appears_at):
            self._hidden.add(document)

    def _unfit(self, document: DocumentId) -> str:
        """The reason why there can be no such generated document; empty if there is none."""
        if document == self._job.document:
            return "it is the document that is rendered"
        if self._layout.is_output(document) or is_below(document, STATE_FOLDER) or document == CONFIG_FILE:
            return "it lies in the output folder, or is a file of kahnd's own"
        if document in self._folders or not self._declared.keys().isdisjoint(folders_above(document)):
            return "it and another one that is declared can't both exist"
        if os.path.isdir(f"{self._root}/{document}"):  # noqa: PTH112 - for each of many
            return "there is a folder of that name"
        return ""

    def stage(self) -> tuple[Declared, ...]:
        """Write the declared documents to their stages. Raises OSError."""
        made: list[Declared] = []
        for number, (each, (content, line)) in enumerate(sorted(self._declared.items())):
            file = self._root / stage_of_declared(self._job, number)
            file.parent.mkdir(parents=True, exist_ok=True)
            remove_any(file)
            file.write_bytes(content)
            made.append((each, hash_bytes(content), line))
        return tuple(made)
