"""Stops rendering that never ends: commands that write into sources, and inputs that keep changing during a run.

A command may write into the source it is run for, or into one whose own command writes back. Each change that is made
while documents are rendered has a *path*: the steps, from rendering to written source, that led to it. A change that a
user saves has none. One document many times on a path is either such a loop, or a user who saves often during long
renderings. So the document is delayed first: a user will save again meanwhile, and a command that does not run can't.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from kahnd.core import decision
from kahnd.core.events import Recheck
from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, Failed, Outcome, Problem, Read
from kahnd.core.renderings import document_of, documents_of

UNDELAYED: Final = 3
"""Times that a document on one path is rendered without delay."""
LIMIT: Final = 6
"""Times that a document is on one path before that counts as a loop."""
LONGEST: Final = 64
"""Steps of a path after which it counts as a loop, even if each leads to a new document."""
RETRIES: Final = 5
"""Times that a result is dropped because another document changed meanwhile, before the run counts as failed."""
OWN_RETRIES: Final = 4 * RETRIES
"""The same for changes of the document itself, which RenderLoops judges better."""


class Step(NamedTuple):
    """A document was written while another (or it itself) was rendered."""

    document: DocumentId
    during: DocumentId


_Path = tuple[Step, ...]
WrittenDuring = Mapping[DocumentId, Collection[DocumentId]]
"""For each written document, the documents that were being rendered then."""
NO_WRITES: Final[WrittenDuring] = {}


class RenderLoops:
    """Owns the path of each document's latest change, if it has one. All its renderings share that."""

    def __init__(self) -> None:
        self._paths: dict[DocumentId, _Path] = {}
        self._delayed: dict[DocumentId, _Path] = {}
        self._propagating: deque[tuple[_Path, frozenset[DocumentId]]] = deque()

    def changed(self, documents: Collection[DocumentId], written: WrittenDuring) -> None:
        """These have new bytes, `written` during renderings or not, and are about to be propagated."""
        documents = documents_of(documents)
        paths = {each: self._path(each, written[each]) for each in documents if each in written}
        for each in documents if self._paths else ():
            self._paths.pop(each, None)
        self._paths.update(paths)
        self._propagating.append((max(paths.values(), key=len, default=()), frozenset(documents)))

    def propagated(self, affected: Iterable[DocumentId]) -> None:
        """The database has answered the oldest propagation: these are to be rendered because of it."""
        path, changed = self._propagating.popleft() if self._propagating else ((), frozenset[DocumentId]())
        others = [each for each in documents_of(affected) if each not in changed] if path or self._paths else ()
        for each in others:
            self._paths.pop(each, None)
        if path:
            self._paths.update(dict.fromkeys(others, path))

    def is_suspect(self, documents: Iterable[DocumentId]) -> bool:
        """Tells whether any of these was written during a rendering."""
        return bool(self._paths) and any(document_of(each) in self._paths for each in documents)

    def needs_delay(self, document: DocumentId) -> bool:
        """Tells whether to delay the document before it is rendered again; True once for each change."""
        path = self._paths.get(document_of(document), ())
        if _repeats(path) < UNDELAYED or self._delayed.get(document) == path:
            return False
        self._delayed[document] = path
        return True

    def loop_problem(self, document: DocumentId) -> Problem | None:
        """Returns the reason not to render the document until a user saves it; None if it is in no loop."""
        document = document_of(document)
        path = self._paths.get(document, ())
        return _problem(document, path) if _repeats(path) >= LIMIT else None

    def allow_retry(self, document: DocumentId) -> None:
        """Lets the document be rendered once more, on request."""
        path = self._paths.get(document_of(document), ())
        while _repeats(path) >= LIMIT:
            path = path[1:]
        if path:
            self._paths[document_of(document)] = self._delayed[document] = path

    def _path(self, document: DocumentId, during: Collection[DocumentId]) -> _Path:
        if document in during:
            by = document
        else:
            by = max(sorted(during), key=lambda each: _repeats(self._paths.get(each, ())))
        return (*self._paths.get(by, ()), Step(document, by))[-LONGEST:]


class RetryLimit:
    """Counts the results dropped for each document since its last good render, or since the build began."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._dropped: Counter[DocumentId] = Counter()

    def drop(self, document: DocumentId, outcome: Outcome, changed: DocumentId) -> Problem | None:
        """Counts a result that is dropped because `changed` was not as it was read; a Problem: do not try again."""
        own = document_of(document)
        self._dropped[document] += 1
        retries = self._dropped[document]
        if retries > 1 and (unknown := decision.unknown_read(self._graph, outcome.reads)):
            return unknown
        if retries > 1 and isinstance(outcome, Failed) and _is_unread(changed, outcome.reads):
            return outcome.problem  # the file exists, and was checked since
        if retries > 1 and (unusable := decision.unusable_read(self._graph, own, changed)):
            return unusable
        if retries > (RETRIES if changed != own else OWN_RETRIES):
            message = f"{document_of(changed)} keeps changing while this is rendered"
            return Problem(message, own, remedy="save it once more")
        return None

    def succeeded(self, document: DocumentId) -> None:
        """The document was rendered."""
        self._dropped.pop(document, None)

    def clear(self) -> None:
        """A build has ended."""
        self._dropped.clear()


class HeldDocuments:
    """Owns the documents kept out of the schedule until a Recheck is done: `delayed`, or until others are checked."""

    def __init__(self) -> None:
        self._delayed: dict[DocumentId, bool] = {}
        self._looks: list[Recheck] = []

    def __bool__(self) -> bool:
        return bool(self._delayed)

    def delay(self, document: DocumentId) -> Recheck:
        """Holds a document for a while, and has it checked then."""
        self._delayed[document] = True
        return Recheck((document,), document, delayed=True)

    def until_checked(self, document: DocumentId, paths: tuple[DocumentId, ...]) -> Recheck:
        """Holds a document until these were checked."""
        self._delayed[document] = False
        return Recheck(paths, document)

    def until_looked(self, document: DocumentId, paths: tuple[DocumentId, ...]) -> None:
        """Holds a document until these were checked, after declared documents have been looked at."""
        self._looks.append(self.until_checked(document, paths))

    def looked(self) -> Iterable[Recheck]:
        """Declared documents were looked at: returns the checks that waited for it."""
        waiting, self._looks = self._looks, []
        return waiting

    def release(self, document: DocumentId, *, delayed: bool) -> bool:
        """Releases a document if it was held for this Recheck; tells whether it was."""
        if self._delayed.get(document) is not delayed:
            return False
        del self._delayed[document]
        return True

    def drop(self, document: DocumentId) -> None:
        """Holds a document no longer."""
        self._delayed.pop(document, None)


def _repeats(path: _Path) -> int:
    """Returns how often the most frequent document is on a path; LIMIT for the longest path."""
    if not path:
        return 0
    most = Counter(each.document for each in path).most_common(1)[0][1]
    return LIMIT if len(path) == LONGEST else most


def _problem(document: DocumentId, path: _Path) -> Problem:
    remedy = "let the command write to {output} alone, then save the document"
    if all(each == (document, document) for each in path):
        message = f"changed while it was rendered, {len(path)} times in a row: its command writes into its own source"
        return Problem(message, document, remedy=remedy)
    last = list(dict.fromkeys(reversed(path)))[: LIMIT // 2]
    writes = (f"the command of {each.during} writes into {_written(each)}" for each in reversed(last))
    return Problem(f"is rendered again and again: {', and '.join(writes)}", document, remedy=remedy)


def _written(step: Step) -> str:
    return "its own source" if step.document == step.during else step.document


def _is_unread(document: DocumentId, reads: Iterable[Read]) -> bool:
    """Tells whether a run asked for the document and did not get its bytes."""
    return any(read.dependency.target == document and read.hash is None for read in reads)
