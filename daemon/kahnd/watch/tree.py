"""The source folders as they are now: what changed against the stat cache, told as sightings.

Only bytes decide: a stat that differs leads to hashing, and equal bytes change nothing. An event means "go and look".
"""

from __future__ import annotations

import os
import posixpath
import stat as modes
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import anyio
import anyio.to_thread
from anyio import from_thread
from msgspec.structs import replace

from kahnd.core.model import DocumentId, Facts, Problem, Scan, Sighting, Snapshot, Stat, Status
from kahnd.core.rules import Layout, is_below, is_collection
from kahnd.ports import Scanner
from kahnd.watch.cache import Entry, StatCache
from kahnd.watch.hashing import RACY_NS, Hashed, hash_file, is_racy, unreadable
from kahnd.watch.ignore import Ignore, is_utf8, upwards
from kahnd.watch.links import Links
from kahnd.watch.shared import Shared
from kahnd.watch.survey import Listing, Survey

MOST_SAID: Final = 500
"""Characters of an exception's own words."""


@dataclass(slots=True)
class _Findings:
    """What one pass found before anything is hashed.

    `suspects` with the file to read; `swept`: paths below which whatever is known and was not `visited` is gone.
    """

    suspects: dict[DocumentId, str] = field(default_factory=dict)
    denied: dict[DocumentId, Problem] = field(default_factory=dict)
    gone: set[DocumentId] = field(default_factory=set)
    visited: set[str] = field(default_factory=set)
    swept: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Look:
    """What came of one suspect: what to know of it from now on (None: nothing), and what to tell, if anything."""

    document: DocumentId
    entry: Entry | None
    sighting: Sighting | None


class SourceTree:
    """Fulfils ports.Tree. Looks in one worker thread, one call at a time.

    More threads would hash small files more slowly (the interpreter's lock goes to and fro), and large ones hardly
    sooner than the disk gives them.

    A symbolic link to a file inside the project is a document with that file's bytes; which links to folders are
    followed, Links says; those that lead out of the project are no documents. A folder that can't be listed stands as
    one document with a problem, and everything known below it has that problem too. `say` writes a log line;
    `goes_on` is told, in that thread, between one file or folder and the next, where a look can be given up, too.
    """

    def __init__(  # noqa: PLR0913  the composition root passes what it is made from
        self,
        root: Path,
        layout: Layout,
        ignore: Iterable[str],
        scanner: Scanner,
        say: Callable[..., None] = lambda _event, **_fields: None,
        *,
        goes_on: Callable[[], None] = lambda: None,
    ) -> None:
        self._goes_on = goes_on
        base = os.path.abspath(root)  # noqa: PTH100  a link at the project's own place stays as it was given
        self._layout = layout
        self._sources = tuple(sorted({_normal(source) for source in layout.sources}))
        self._scanner = scanner
        self._ignore = Ignore(base, layout, ignore, say)
        self._names = Links(base, self._sources, layout.output)
        self._say = say
        self._survey = Survey(self._names, self._sources, self._ignore, say)
        self._cache = StatCache()
        self._shared = Shared(self._cache)
        self._links: dict[DocumentId, str | None] = {}
        self._doubted: dict[DocumentId, float] = {}
        self._unread: set[DocumentId] = set()
        self._one_at_a_time = anyio.Lock()

    def known(self, snapshot: Snapshot) -> None:
        """Take over the stat cache of an earlier life."""
        for facts in snapshot.documents:
            if not is_collection(facts.id) and facts.status is not Status.MISSING:
                self._cache.put(facts.id, _remembered(facts))

    def folders(self) -> int:
        """How many folders there are to watch, ignored ones left out."""
        return sum(1 for _ in self._listings())

    def documents(self) -> list[DocumentId]:
        """The documents that there are, nothing of them read."""
        return [DocumentId(posixpath.join(each.folder, name)) for each in self._listings() for name in each.files]

    def _listings(self) -> Iterator[Listing]:
        for source in self._sources:
            self._ignore.reread_above(source)
        return (listing for source in self._sources for listing in self._survey.subtree(source))

    async def crawl(self) -> tuple[Sighting, ...]:
        """Look at everything: what changed against the stat cache, and what is gone."""
        async with self._one_at_a_time:
            return await anyio.to_thread.run_sync(self._crawl)

    async def look(self, paths: Iterable[str]) -> tuple[Sighting, ...]:
        """Look at these paths (a folder: at all below it): what changed against the stat cache, and what is gone."""
        wanted = frozenset(paths)
        async with self._one_at_a_time:
            return await anyio.to_thread.run_sync(self._look, wanted)

    async def look_again(self) -> tuple[Sighting, ...]:
        """Look once more at what was hashed so soon after a change that another might not show; each once.

        A change that shows is an event's to tell: it may be half of a save. What could not be read for the machine's
        sake is looked at each time, until it can be.
        """
        until = time.monotonic() - RACY_NS / 1e9
        due = [document for document, hashed in self._doubted.items() if hashed <= until]
        if not (due or self._unread or self._ignore.is_unsure):
            return ()
        async with self._one_at_a_time:
            sightings = await anyio.to_thread.run_sync(self._look_again, due)
        for document in due:
            self._doubted.pop(document, None)  # a clock that was set back can make it racy for good
        return sightings

    async def look_at_shared(self, *, at_leisure: bool = False) -> tuple[Sighting, ...]:
        """Look at files with several hard links; `at_leisure`: at as many, in turn, as take next to no time."""
        if not self._shared:
            return ()
        async with self._one_at_a_time:
            return await anyio.to_thread.run_sync(self._look_at_shared, at_leisure)

    def _look_at_shared(self, at_leisure: bool) -> tuple[Sighting, ...]:  # noqa: FBT001 - for a thread
        changed = self._shared.changed(at_leisure=at_leisure)
        return self._look(frozenset(changed)) if changed else ()

    def _look_again(self, documents: list[DocumentId]) -> tuple[Sighting, ...]:
        if self._ignore.is_unsure:
            return self._crawl()
        tops = (each for each in self._unread if self._unread.isdisjoint(upwards(posixpath.dirname(each))))
        return self._look(frozenset(tops).union(each for each in documents if self._seems_the_same(each)))

    def _seems_the_same(self, document: DocumentId) -> bool:
        entry = self._cache.get(document)
        try:
            return entry is not None and entry.resembles(Path(self._names.full(document)).stat())
        except OSError:
            return False

    def _crawl(self) -> tuple[Sighting, ...]:
        findings = _Findings()
        self._links.clear()
        for source in self._sources:
            self._ignore.reread_above(source)
        self._examine("", findings)
        self._ignore.keep_only(findings.visited)
        return self._settle(findings)

    def _look(self, paths: frozenset[str]) -> tuple[Sighting, ...]:
        findings = _Findings()
        links = dict(self._links)
        self._survey.tell_unnamed(path for path in paths if not is_utf8(path))
        for path in sorted(self._real(filter(is_utf8, paths))):
            self._examine(path, findings)
        if self._links != links:  # what other links lead to can be another, too
            for link in [*self._links]:
                self._examine(link, findings)
        return self._settle(findings)

    def _real(self, paths: Iterable[str]) -> set[str]:
        """The paths by the names that are known, and every link that has to do with one of them."""
        normal = {_normal(path) for path in paths}
        real = {name for path in normal if (name := self._names.name(path)) is not None}
        real |= {once for path in normal for once in self._once_through_links(path)}
        return real | {link for link, target in self._links.items() if not real.isdisjoint(_places(link, target))}

    def _once_through_links(self, path: str) -> Iterator[str]:
        """Where the path led through links that may be gone by now: an event can bear a linked folder's name."""
        for above in upwards(posixpath.dirname(path)):
            if (target := self._links.get(DocumentId(above))) is not None:
                yield posixpath.join(target, path[len(above) + 1 :])

    def _examine(self, path: str, findings: _Findings) -> None:
        """Look at a path and at every source below it."""
        if self._layout.source_of(path) is not None:
            self._examine_top(path, findings)
        else:
            findings.swept.add(path)
        for source in self._sources:
            if source != path and is_below(source, path or "."):
                self._examine_top(source, findings)

    def _examine_top(self, path: str, findings: _Findings) -> None:
        document = DocumentId(path)
        try:
            is_folder = self._examine_kind(document, findings)
        except OSError as error:
            findings.denied[document] = unreadable(path, error)
            return
        entry = self._cache.get(path)
        if is_folder or entry is None:
            findings.swept.add(path)
        if entry is not None and document not in findings.suspects:
            findings.gone.add(document)

    def _examine_kind(self, document: DocumentId, findings: _Findings) -> bool:
        """Find out what stands here, and whether it is a folder. Raises OSError where that can't be told."""
        found = self._survey.stat(document) if self._names.name(document) == document else None
        is_link = found is not None and modes.S_ISLNK(found.st_mode)
        is_folder = found is not None and modes.S_ISDIR(found.st_mode)
        self._links.pop(document, None)
        if found is None or self._is_ignored(document, folder=is_folder):
            return is_folder
        if is_link:
            self._links[document] = self._names.target(document)
            is_folder = self._names.follows(document)
        if is_folder and document not in findings.visited:
            self._examine_folders(document, findings)
        elif modes.S_ISREG(found.st_mode):
            findings.suspects[document] = file = self._names.full(document)
            self._shared.note(document, file, found)
        elif is_link:
            self._examine_link(document, findings)
        return is_folder

    def _examine_link(self, document: DocumentId, findings: _Findings) -> None:
        target = self._links[document]
        if target is not None and self._survey.file(target) is not None:
            findings.suspects[document] = self._names.full(target)
        elif document in self._sources and self._names.real(document) is None:
            remedy = "name a folder that is in the project"
            findings.denied[document] = Problem("the source folder leads out of the project", document, remedy=remedy)

    def _is_ignored(self, path: str, *, folder: bool) -> bool:
        if path in self._sources:
            return False
        return self._ignore.excludes(path) or self._ignore.ignores(path, folder=folder)

    def _examine_folders(self, top: str, findings: _Findings) -> None:
        for listing in self._survey.subtree(top):
            self._breathe()
            findings.visited.add(listing.folder)
            if listing.denied is None:
                self._compare(listing, findings)
            else:
                findings.denied[DocumentId(listing.folder or ".")] = listing.denied

    def _compare(self, listing: Listing, findings: _Findings) -> None:
        known = self._cache.within(listing.folder)
        prefix = f"{listing.folder}/" if listing.folder else ""
        for name, found in listing.files.items():
            if found.st_nlink > 1:
                file = self._names.full(listing.links.get(name) or prefix + name)
                self._shared.note(DocumentId(prefix + name), file, found)
            entry = known.get(name)
            if entry is None or not entry.agrees(found):
                findings.suspects[DocumentId(prefix + name)] = self._names.full(
                    listing.links.get(name) or prefix + name
                )
        self._links.update({DocumentId(prefix + name): target for name, target in listing.links.items()})
        findings.denied.update({DocumentId(prefix + name): problem for name, problem in listing.problems.items()})
        findings.gone.update(DocumentId(prefix + name) for name in known if name not in listing.files)

    def _settle(self, findings: _Findings) -> tuple[Sighting, ...]:
        """Read the suspects, and bring the cache up to date with all that was found."""
        denied = self._with_all_below(findings.denied)
        gone = (findings.gone | self._unvisited(findings)) - denied.keys() - findings.suspects.keys()
        looks = [
            *map(self._read, findings.suspects.keys(), findings.suspects.values()),
            *(self._troubled(document, problem) for document, problem in sorted(denied.items())),
            *(_Look(document, None, Sighting(document)) for document in sorted(gone)),
        ]
        for look in looks:
            self._remember(look)
        return tuple(look.sighting for look in looks if look.sighting is not None)

    def _with_all_below(self, denied: dict[DocumentId, Problem]) -> dict[DocumentId, Problem]:
        below = {known: problem for path, problem in denied.items() for known in self._cache.below(path)}
        return below | denied

    def _unvisited(self, findings: _Findings) -> set[DocumentId]:
        """Everything known below a swept path in a folder that was not visited."""
        if not findings.swept:
            return set()
        folders = [
            folder
            for folder in self._cache.folders()
            if folder not in findings.visited and not findings.swept.isdisjoint(upwards(folder))
        ]
        return {DocumentId(posixpath.join(folder, name)) for folder in folders for name in self._cache.within(folder)}

    def _read(self, document: DocumentId, file: str) -> _Look:
        self._breathe()
        wanted = self._scanner.wants(document)
        try:
            hashed = hash_file(file, keep=wanted)
        except OSError as error:
            return self._troubled(document, unreadable(document, error))
        if hashed is None:
            known = self._cache.get(document) is not None
            return _Look(document, None, Sighting(document) if known else None)
        sighting = self._sighting(document, hashed)
        if sighting and sighting.scan and sighting.scan.problem:
            return self._troubled(document, sighting.scan.problem)
        return _Look(document, Entry(hashed.digest, hashed.stat), sighting)

    def _breathe(self) -> None:
        """The look goes on, unless nobody wants it any more."""
        self._goes_on()
        from_thread.check_cancelled()

    def _sighting(self, document: DocumentId, hashed: Hashed) -> Sighting | None:
        entry = self._cache.get(document)
        if entry is None or entry.content_hash != hashed.digest:
            found = Scan() if hashed.content is None else self._scan(document, hashed.content)
            return Sighting(document, hashed.digest, hashed.stat, found)
        if _is_told(entry.stat, hashed.stat):
            return None
        return Sighting(document, hashed.digest, hashed.stat)

    def _scan(self, document: DocumentId, content: bytes) -> Scan:
        """What is found. Whatever is in a document, no look ends with it."""
        try:
            return self._scanner.scan(document, content)
        except Exception as error:  # noqa: BLE001 - a fault of a renderer: the document fails, the daemon goes on
            said = f"{type(error).__name__}: {error}"[:MOST_SAID]
            self._say("document.unscanned", document=document, error=said)
            return Scan(problem=Problem(f"its dependencies can't be found: {said}", document, 0, "simplify it"))

    def _troubled(self, document: DocumentId, problem: Problem) -> _Look:
        entry = self._cache.get(document)
        told = entry is not None and entry.problem == problem
        return _Look(document, Entry(problem=problem), None if told else Sighting(document, problem=problem))

    def _remember(self, look: _Look) -> None:
        if look.entry and look.entry.problem and look.entry.problem.passing:
            self._unread.add(look.document)
        else:
            self._unread.discard(look.document)
        if look.entry is None:
            self._cache.drop(look.document)
        else:
            self._cache.put(look.document, look.entry)
            if look.entry.stat is not None and is_racy(look.entry.stat):
                self._doubted[look.document] = time.monotonic()


def _normal(path: str) -> str:
    """The path as it stands in the cache: the project itself is ""."""
    normal = posixpath.normpath(path)
    return "" if normal == "." else normal


def _places(link: str, target: str | None) -> Iterator[str]:
    """All paths whose change can make another of a link."""
    yield from upwards(link)
    yield from upwards(target or "")


def _remembered(facts: Facts) -> Entry:
    unread = facts.content_hash is None
    return Entry(facts.content_hash, None if unread else facts.stat, facts.problem if unread else None)


def _is_told(before: Stat | None, after: Stat) -> bool:
    """Whether a stat is no news: the moment of hashing alone is none, unless the stat can be trusted only now."""
    if before is None or replace(before, hashed_ns=after.hashed_ns) != after:
        return False
    return is_racy(after) or not is_racy(before)
