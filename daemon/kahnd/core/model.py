"""The frozen values that all of kahnd shares: ids, hashes, status, dependencies, changes, results."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NewType

import msgspec

from kahnd.core.problem import Problem as Problem  # noqa: PLC0414 (part of the model; apart, so that it loads fast)
from kahnd.core.routes import Route

DocumentId = NewType("DocumentId", str)
"""A document's path, relative to the project, with `/`. A collection's id is its pattern with a leading `/`."""
OutputPath = NewType("OutputPath", str)
"""A rendered file's path, relative to the project, with `/`; or, with `/` at its end, a folder's that is filled."""
Digest = NewType("Digest", str)  # an XXH3-128 hash: 32 hex digits
BuildId = NewType("BuildId", str)
RunId = NewType("RunId", int)  # one attempt to render one document; never used twice in a daemon's life
RequestId = NewType("RequestId", str)  # a client's, answered when its targets are up to date
Declared = tuple[DocumentId, Digest, int]
"""A document that another declares, the hash of its bytes, and the line that declares it (0: unknown)."""
Timing = tuple[int, int, float, DocumentId | None]
"""A render's worker (from 0) and generation, the milliseconds for which it was ready, and what it waited for last."""


class Status(StrEnum):
    """A document's state in the database."""

    DIRTY = "DIRTY"
    DONE = "DONE"
    FAILED = "FAILED"
    BLOCKED = "BLOCKED"
    MISSING = "MISSING"


class Kind(StrEnum):
    """The way in which one document depends on another."""

    __hash__ = str.__hash__  # the hash of an enumeration is a Python call, for each of thousands of edges

    INCLUDE = "include"
    TEMPLATE = "template"
    DATA = "data"
    PAGE = "page"
    OUTPUT = "output"
    COLLECTION = "collection"
    DECLARED = "declared"
    DISCOVERED = "discovered"
    LINK = "link"
    DECLARER = "declarer"

    @property
    def is_content(self) -> bool:
        """A content dependency: on the target's own bytes only. It asks for no order and is in no cycle."""
        return self in CONTENT_KINDS


CONTENT_KINDS: Final = frozenset({Kind.PAGE, Kind.COLLECTION, Kind.LINK})
SOURCE_KINDS: Final = frozenset({Kind.INCLUDE, Kind.TEMPLATE, Kind.DATA})  # of the source, even if it is rendered


class Facet(StrEnum):
    """A part of a document that is used alone. `anchors`: its ids. `renderings`: the outputs that rules give it."""

    __hash__ = str.__hash__  # so that a set of them is equal to one of texts
    ANCHORS = "anchors"
    FRONT_MATTER = "front_matter"
    OUTPUT = "output"
    RENDERINGS = "renderings"
    TEXT = "text"
    TITLE = "title"
    URL = "url"


class Facets(msgspec.Struct, frozen=True, gc=False):
    """The hashes of a page's parts, without those of its output and its url, and of each of its ids (`hash_ids`)."""

    front_matter: Digest
    text: Digest
    title: Digest
    anchors: Digest = Digest("")
    ids: str = ""


class Dependency(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An edge from a dependent; two are equal if target and kind are.

    `line`: where it was found, from 1 (0: unknown). `hash`: the edge hash at the dependent's last good render (see
    core/hashing.py). `facets`: the parts of the target in use, also of one of its outputs (None: all, or unknown).
    `sure`: the dependent's own bytes ask for it unconditionally; only rendering can confirm other edges.
    """

    target: DocumentId
    kind: Kind
    line: int = 0
    hash: str | None = None
    facets: frozenset[str] | None = None
    sure: bool = False

    @property
    def is_conditional(self) -> bool:
        """An include, data or an output that only some renderings of the text reach."""
        return not self.sure and self.kind in {Kind.INCLUDE, Kind.DATA, Kind.OUTPUT}

    def uses_any(self, facets: frozenset[Facet] | None) -> bool:
        """Whether one of these facets, of which None stands for all, may be in use."""
        return facets is None or self.facets is None or not facets.isdisjoint(self.facets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dependency) and self.target == other.target and self.kind is other.kind

    def __ne__(self, other: object) -> bool:
        return not self == other  # msgspec's own does not call __eq__

    def __hash__(self) -> int:
        return hash(self.target)  # alone: hardly any is there with several kinds


class Scan(msgspec.Struct, frozen=True, gc=False):
    """The result of scanning a document's bytes: its dependencies in the order found, and a page's facets.

    `problem`: why the document can't be used at all; the rest is empty then. `appears_at` and `route`: as in Facts.
    `renderings`: how the bytes are read by further rules that apply.
    """

    dependencies: tuple[Dependency, ...] = ()
    facets: Facets | None = None
    problem: Problem | None = None
    appears_at: int | None = None
    route: Route | None = None
    renderings: tuple[tuple[DocumentId, Scan], ...] = ()


class Stat(msgspec.Struct, frozen=True, gc=False):
    """A file's stat when it was hashed; `hashed_ns` is the wall clock at that moment."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    hashed_ns: int


class Observation(msgspec.Struct, frozen=True, gc=False):
    """A document as it was found: the hash of its bytes, or the problem of reading it; with neither, it is gone.

    `scan`: None if the bytes were known and so not scanned again. `declarer`: the one that declared it, if any did.
    """

    document: DocumentId
    content_hash: Digest | None = None
    stat: Stat | None = None
    scan: Scan | None = None
    problem: Problem | None = None
    declarer: DocumentId | None = None


class Edges(msgspec.Struct, frozen=True, gc=False):
    """A change to one document's edges: those in `drop` go first, then those in `add` come; all others stay.

    `mark`: existing edges of which something other than target and kind has changed.
    """

    add: tuple[Dependency, ...] = ()
    drop: tuple[DocumentId, ...] = ()
    mark: tuple[Dependency, ...] = ()

    def then(self, later: Edges) -> Edges:
        """Returns one change that equals this one followed by another."""
        dropped = frozenset(later.drop)
        add = {each: each for each in self.add if each.target not in dropped} | {each: each for each in later.add}
        marked = (each for each in self.mark if each.target not in dropped and each not in later.add)
        mark = {each: each for each in marked} | {each: each for each in later.mark}
        return Edges(
            tuple(mark.pop(each, newest) for each, newest in add.items()),
            tuple(dict.fromkeys((*self.drop, *later.drop))),
            tuple(mark.values()),
        )


NO_EDGES: Final = Edges()


class Facts(msgspec.Struct, frozen=True, gc=False):
    """A document's record in the database, without its edges.

    `because`: the culprit of a BLOCKED document; of a FAILED one, itself if it is on a cycle, or the other document
    that claims its output. `took_ms`: the duration of its last good rendering, and `warnings` what it warned of.
    `limits`: `RenderLimits.text` when its rendering failed. `outputs`: all files with their hashes, if `output` is the
    first of several, or a folder. `appears_at`: the time, in seconds since 1970, before which no rule renders it.
    `declares`: the documents that its last good rendering declared. `declarer`: the one that declared this document.
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
    limits: str | None = None
    warnings: tuple[Problem, ...] = ()
    outputs: tuple[tuple[OutputPath, Digest], ...] | None = None
    appears_at: int | None = None
    route: Route | None = None
    declares: tuple[Declared, ...] | None = None
    declarer: DocumentId | None = None

    @property
    def standing_warnings(self) -> tuple[Problem, ...]:
        """The warnings, unless they are of other bytes than its present ones, or it is broken."""
        stands = self.status is Status.DONE or self.status is Status.DIRTY
        return self.warnings if stands and self.content_hash == self.last_rendered_hash else ()


class Change(msgspec.Struct, frozen=True, gc=False):
    """A change of a document's facts before any rendering: new bytes, new recipe, removed, or first depended on.

    `content`: its bytes or its output path may have changed, so its content dependents are dirty too. `facets`: the
    only ones that have changed (None: perhaps all), so content dependents that use others are not. `linked`: its
    existence, its output path or its anchors may have, so the documents that link to it are dirty too. `forget`:
    nothing depends on it any more, and its record goes.
    """

    facts: Facts
    edges: Edges = NO_EDGES
    content: bool = True
    facets: frozenset[Facet] | None = None
    linked: bool = True
    forget: bool = False


class ReasonKind(StrEnum):
    """The kind of a reason to render a document."""

    CONTENT = "content"
    DEPENDENCY = "dependency"
    RECIPE = "recipe"
    OUTPUT = "output"
    NEW = "new"
    FAILED = "failed"


class Reason(msgspec.Struct, frozen=True, gc=False):
    """A reason to render a document: a hash that differs. None stands for something that does not exist.

    `document`: the one whose hash it is. `facets`: the parts of it that differ, if only parts are used.
    """

    kind: ReasonKind
    document: DocumentId
    before: str | None = None
    after: str | None = None
    facets: tuple[Facet, ...] = ()


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """An entry of the job history: a render that ran to its end. `chain` leads from the edited document to it."""

    build: BuildId
    cause: str
    started_at: str
    duration_ms: float
    reasons: tuple[Reason, ...] = ()
    chain: tuple[DocumentId, ...] = ()
    timing: Timing | None = None


class Result(msgspec.Struct, frozen=True, gc=False):
    """A document's new facts and edges, to be committed to the database."""

    facts: Facts
    edges: Edges = NO_EDGES
    attempt: Attempt | None = None


class BuildRecord(msgspec.Struct, frozen=True, gc=False):
    """A finished build, as the database keeps it and `status` shows it."""

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


class HistoryEntry(msgspec.Struct, frozen=True, gc=False):
    """A past render, as `history` shows it."""

    document: DocumentId
    build: BuildId
    cause: str
    status: Status
    started_at: str
    duration_ms: float
    error: str | None
    reasons: tuple[Reason, ...] = ()
    chain: tuple[DocumentId, ...] = ()
    timing: Timing | None = None


class Snapshot(msgspec.Struct, frozen=True):
    """All that the database holds of a workspace, as a session loads it at its start."""

    documents: tuple[Facts, ...] = ()
    dependencies: dict[DocumentId, tuple[Dependency, ...]] = msgspec.field(default_factory=dict)
    last_build: BuildRecord | None = None


class KnownLinks(msgspec.Struct, frozen=True, gc=False):
    """The known links of a document: the `outputs` of those that they lead to, and `dead` paths, where nothing is."""

    outputs: tuple[OutputPath, ...] = ()
    dead: tuple[DocumentId, ...] = ()


class Job(msgspec.Struct, frozen=True, gc=False):
    """Everything that a renderer needs to render one document once.

    `stage`: where to write the output, relative to the project. `more`: the outputs after the first, with aliases; an
    output that ends with `/` is a folder to fill. `deps`: the direct dependencies' files, in the order found.
    `targets`: the documents that these files are or are rendered from. `discovered`: those of the targets that only an
    earlier run reported. `missing`: those that do not exist. `collections`: the members of every known collection, by
    its id. `links`: what is known of its links. `hashed`: the files of dependencies whose output paths have a hash, by
    these. `routed`: some document has or had a route in this session. `own`: documents that this one has declared.
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
    links: KnownLinks = KnownLinks()
    more: tuple[OutputPath, ...] = ()
    hashed: tuple[tuple[OutputPath, OutputPath], ...] = ()
    routed: bool = False
    own: tuple[DocumentId, ...] = ()


class Read(msgspec.Struct, frozen=True, gc=False):
    """A dependency that a rendering read. `hash`: of the bytes it got (for Kind.OUTPUT, the output's), if known.

    For Kind.LINK, PRESENT if it leads somewhere, None if nowhere. `outputs`: of several, those read.
    """

    dependency: Dependency
    hash: Digest | None = None
    outputs: tuple[tuple[OutputPath, Digest], ...] = ()


class Rendered(msgspec.Struct, frozen=True, gc=False):
    """A successful rendering: its complete output is in the job's stage.

    `outputs`: all outputs with their hashes if the job has several, or the files of the folder that it filled;
    `output_hash` is then that of the first, or `hashing.hash_outputs` of the folder's. `declared`: by path.
    """

    output_hash: Digest
    reads: tuple[Read, ...] = ()
    warnings: tuple[Problem, ...] = ()
    outputs: tuple[tuple[OutputPath, Digest], ...] = ()
    declared: tuple[Declared, ...] = ()


class Failed(msgspec.Struct, frozen=True, gc=False):
    """A failed rendering, as a value."""

    problem: Problem
    reads: tuple[Read, ...] = ()


class Unmet(msgspec.Struct, frozen=True, gc=False):
    """A stopped rendering that needs something unavailable: unfinished, missing, or a collection not listed."""

    needs: Dependency
    problem: Problem
    reads: tuple[Read, ...] = ()


Outcome = Rendered | Failed | Unmet
