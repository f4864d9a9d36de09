"""The frozen values that everything speaks of: ids, hashes, status, dependencies, changes, results.

Knows nothing of files, of the database or of time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NewType

import msgspec

from kahnd.core.problem import Problem as Problem  # noqa: PLC0414 (told with the values it belongs to)

DocumentId = NewType("DocumentId", str)
"""A document's path, relative to the project, with `/`. A collection's id is its pattern with a leading `/`."""
OutputPath = NewType("OutputPath", str)
"""A rendered file's path, relative to the project, with `/`."""
Digest = NewType("Digest", str)
"""An XXH3-128 hash: 32 hex digits."""
BuildId = NewType("BuildId", str)
RunId = NewType("RunId", int)
"""One attempt to render one document; never used twice in a daemon's life."""
Ticket = NewType("Ticket", str)
"""Names a question whose answer comes when the engine is quiet."""


class Status(StrEnum):
    """A document's state in the database."""

    DIRTY = "DIRTY"
    DONE = "DONE"
    FAILED = "FAILED"
    BLOCKED = "BLOCKED"
    MISSING = "MISSING"


class Kind(StrEnum):
    """Why one document depends on another."""

    __hash__ = str.__hash__  # an enumeration's own is a call for each of thousands of edges

    INCLUDE = "include"
    TEMPLATE = "template"
    DATA = "data"
    PAGE = "page"
    OUTPUT = "output"
    COLLECTION = "collection"
    DECLARED = "declared"
    DISCOVERED = "discovered"

    @property
    def of_content(self) -> bool:
        """Whether only the target's own bytes matter: no order, nothing carried further, no part of a cycle."""
        return self in CONTENT_KINDS

    @property
    def of_source(self) -> bool:
        """Whether the target's source is read, even where it is itself rendered."""
        return self in SOURCE_KINDS


CONTENT_KINDS: Final = frozenset({Kind.PAGE, Kind.COLLECTION})
SOURCE_KINDS: Final = frozenset({Kind.INCLUDE, Kind.TEMPLATE, Kind.DATA})
TEXT_KINDS: Final = frozenset({Kind.INCLUDE, Kind.TEMPLATE})
"""Of these, it counts whether the target is written as a page."""


class Facet(StrEnum):
    """What of a document can be used without the rest of it."""

    FRONT_MATTER = "front_matter"
    OUTPUT = "output"
    TEXT = "text"
    TITLE = "title"
    URL = "url"


class Facets(msgspec.Struct, frozen=True):
    """The hashes of a page's parts; what it renders to, and where, is known from its other facts."""

    front_matter: Digest
    text: Digest
    title: Digest


class Dependency(msgspec.Struct, frozen=True, eq=False):
    """One edge's far end; only `target` and `kind` are its identity.

    `line` is where it was found (1-based, 0 where unknown), `hash` what the last good render of the dependent hung on,
    `facets` what of the target it used: None where that is all of it, or not known. `sure`: the dependent's own bytes
    say so without a condition.
    """

    target: DocumentId
    kind: Kind
    line: int = 0
    hash: str | None = None
    facets: frozenset[Facet] | None = None
    sure: bool = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dependency) and self.target == other.target and self.kind is other.kind

    def __ne__(self, other: object) -> bool:
        return not self == other  # a struct's own is not made of its __eq__

    def __hash__(self) -> int:
        """Of what it names: hardly ever is a target there by more kinds than one."""
        return hash(self.target)


class Scan(msgspec.Struct, frozen=True):
    """What a document's bytes tell without rendering it: its dependencies, in the order found; a page's facets.

    `problem`: why the document can't be used at all; then nothing else is told.
    """

    dependencies: tuple[Dependency, ...] = ()
    facets: Facets | None = None
    problem: Problem | None = None


class Stat(msgspec.Struct, frozen=True):
    """What the file system said of a file when it was hashed; `hashed_ns` is that moment's wall clock."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    hashed_ns: int


class Sighting(msgspec.Struct, frozen=True):
    """A look at one document: its bytes' hash, or a problem that kept it from being read, or neither: it is gone.

    `scan` is None where the bytes are the ones already known, and so nothing was scanned.
    """

    document: DocumentId
    content_hash: Digest | None = None
    stat: Stat | None = None
    scan: Scan | None = None
    problem: Problem | None = None


class Edges(msgspec.Struct, frozen=True):
    """What changes among one document's dependencies; everything not named stays. What is dropped goes first.

    `mark`: edges that are there, and of which something else than the target and the kind is another.
    """

    add: tuple[Dependency, ...] = ()
    drop: tuple[DocumentId, ...] = ()
    mark: tuple[Dependency, ...] = ()

    def then(self, later: Edges) -> Edges:
        """Both changes, one after the other."""
        gone = frozenset(later.drop)
        add = {each: each for each in self.add if each.target not in gone} | {each: each for each in later.add}
        marked = (each for each in self.mark if each.target not in gone and each not in later.add)
        mark = {each: each for each in marked} | {each: each for each in later.mark}
        return Edges(
            tuple(mark.pop(each, newest) for each, newest in add.items()),
            tuple(dict.fromkeys((*self.drop, *later.drop))),
            tuple(mark.values()),
        )


NO_EDGES: Final = Edges()


class Facts(msgspec.Struct, frozen=True):
    """All that the database keeps of one document, but its edges.

    `because`: of a BLOCKED one the culprit; of a FAILED one itself where it is on a cycle, its rival where two claim
    one output. `took_ms`: what its last good rendering took.
    """

    id: DocumentId
    status: Status = Status.DIRTY
    content_hash: Digest | None = None
    last_rendered_hash: Digest | None = None
    inputs_hash: Digest | None = None
    output_hash: Digest | None = None
    effective_hash: Digest | None = None
    recipe_hash: Digest | None = None
    last_recipe_hash: Digest | None = None
    output: OutputPath | None = None
    problem: Problem | None = None
    because: DocumentId | None = None
    stat: Stat | None = None
    facets: Facets | None = None
    took_ms: float | None = None


class Change(msgspec.Struct, frozen=True):
    """One document whose facts changed before any rendering: new bytes, new recipe, gone, or first heard of.

    `content` says that its bytes changed, or its place may have, so that content dependents are dirty too;
    `forget` that nothing depends on it any more and its record goes.
    """

    facts: Facts
    edges: Edges = NO_EDGES
    content: bool = True
    forget: bool = False


class Because(StrEnum):
    """What kind of reason there is to render a document."""

    CONTENT = "content"
    DEPENDENCY = "dependency"
    RECIPE = "recipe"
    OUTPUT = "output"
    NEW = "new"
    FAILED = "failed"


class Reason(msgspec.Struct, frozen=True):
    """One reason to render a document: of which document what differs; None where there was or is nothing.

    `facets` names what of it, where only a part is used.
    """

    kind: Because
    document: DocumentId
    before: str | None = None
    after: str | None = None
    facets: tuple[Facet, ...] = ()


class Attempt(msgspec.Struct, frozen=True):
    """A line of the job history: one render that ran to its end; `chain` leads from the edited document to it."""

    build: BuildId
    cause: str
    started_at: str
    duration_ms: float
    reasons: tuple[Reason, ...] = ()
    chain: tuple[DocumentId, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """What one document came to: to be committed."""

    facts: Facts
    edges: Edges = NO_EDGES
    attempt: Attempt | None = None


class BuildRecord(msgspec.Struct, frozen=True):
    """One finished build, as kept in the database and told by `status`."""

    id: BuildId
    cause: str
    started_at: str
    duration_ms: float
    rendered: int
    skipped: int
    failed: int
    blocked: int
    removed: int
    generations: int


class HistoryEntry(msgspec.Struct, frozen=True):
    """One past render, as `history` tells it."""

    document: DocumentId
    build: BuildId
    cause: str
    status: Status
    started_at: str
    duration_ms: float
    error: str | None
    reasons: tuple[Reason, ...] = ()
    chain: tuple[DocumentId, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    """Everything the database knows of a workspace, for a start."""

    documents: tuple[Facts, ...] = ()
    dependencies: dict[DocumentId, tuple[Dependency, ...]] = msgspec.field(default_factory=dict)
    last_build: BuildRecord | None = None


class Job(msgspec.Struct, frozen=True):
    """All a renderer needs to render one document once.

    `stage` is where the output goes (relative to the project); `deps` are the direct dependencies' files in
    the order found, `targets` the documents that these are (rendered from), `discovered` those of them that only an
    earlier run told of, `missing` those that do not exist; `collections` the members of every collection known to be
    read, by collection id.
    """

    run: RunId
    document: DocumentId
    content_hash: Digest
    rule: int
    output: OutputPath
    stage: str
    deps: tuple[str, ...] = ()
    targets: tuple[DocumentId, ...] = ()
    discovered: tuple[DocumentId, ...] = ()
    missing: tuple[DocumentId, ...] = ()
    collections: tuple[tuple[DocumentId, tuple[DocumentId, ...]], ...] = ()

    def documents(self) -> dict[str, DocumentId]:
        """Which document each of the files is, or is rendered from; an output that a program told of is its own name.

        So it stays told apart from the source, which a program may read as well.
        """
        told = frozenset(self.discovered)
        return {
            file: DocumentId(file) if each in told else each for file, each in zip(self.deps, self.targets, strict=True)
        }


class Read(msgspec.Struct, frozen=True):
    """Something a rendering read; `hash` is of the bytes it got (source, or output for Kind.OUTPUT), if it knows."""

    dependency: Dependency
    hash: Digest | None = None


class Rendered(msgspec.Struct, frozen=True):
    """A rendering that went well: its output waits, whole, in the job's stage. `warning`: what to tell all the same."""

    output_hash: Digest
    reads: tuple[Read, ...] = ()
    warning: Problem | None = None


class Failed(msgspec.Struct, frozen=True):
    """A rendering that failed, as a value."""

    problem: Problem
    reads: tuple[Read, ...] = ()


class Unmet(msgspec.Struct, frozen=True):
    """A rendering that needs something that is not there now: unfinished, missing, or a collection not given."""

    needs: Dependency
    problem: Problem
    reads: tuple[Read, ...] = ()


Outcome = Rendered | Failed | Unmet
