"""The source folders as they are now: which documents changed, compared with the stat cache, as observations.

Only bytes decide: a stat that differs leads to hashing, and equal bytes are no change. An event means "look here".
"""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import anyio.to_thread
from anyio import from_thread
from msgspec.structs import replace

from kahnd.core.model import DocumentId, Observation, Problem, Scan, Snapshot, Stat, Status
from kahnd.core.output_paths import generated_file
from kahnd.core.renderings import is_file
from kahnd.core.rules import Layout
from kahnd.ports import Scanner
from kahnd.watch.file_hashing import RACY_NS, HashedFile, hash_file, is_racy, unreadable
from kahnd.watch.ignore import IgnoreRules, normal_path, with_ancestors
from kahnd.watch.tree.links import HardLinks, Links
from kahnd.watch.tree.stat_cache import CacheEntry, StatCache
from kahnd.watch.tree.walk import Comparison, Differences, TreeWalk

MAX_ERROR_LENGTH: Final = 500
"""Characters of an exception's message that are shown."""


class SourceTree:
    """Fulfils ports.Tree. Works in one worker thread, one call at a time.

    More threads would hash small files more slowly, because of the interpreter's lock, and large ones hardly sooner
    than the disk delivers them.

    A symbolic link to a file inside the project is a document with that file's bytes; Links decides which links to
    folders are followed; links out of the project are no documents. A folder that can't be listed becomes a document
    with a problem, and everything known below it has that problem too. `log` writes a log line. `on_progress` is called
    in the worker thread for each file and folder; there, a cancelled look ends.
    """

    def __init__(  # noqa: PLR0913  the composition root passes what it is made from
        self,
        root: Path,
        layout: Layout,
        ignore: Iterable[str],
        scanner: Scanner,
        log: Callable[..., None] = lambda _event, **_fields: None,
        *,
        on_progress: Callable[[], None] = lambda: None,
    ) -> None:
        base = os.path.abspath(root)  # noqa: PTH100  a link to the project folder stays as it was given
        sources = sorted(set(map(normal_path, layout.sources)))
        self._on_progress = on_progress
        self._links = Links(base, sources, layout.output)
        self._ignore = IgnoreRules(base, layout, ignore, log)
        self._walk = TreeWalk(self._links, sources, self._ignore, log)
        self._cache = StatCache()
        self._hard_links = HardLinks(self._cache)
        self._comparison = Comparison(self._walk, layout, self._cache, self._hard_links, self._checkpoint)
        self._reader = _Reader(self._cache, scanner, log, self._checkpoint)
        self._lock = anyio.Lock()

    def restore(self, snapshot: Snapshot) -> None:
        """Loads the stat cache from what the store kept of an earlier run."""
        for facts in snapshot.documents:
            if is_file(facts.id) and not facts.declarer and facts.status is not Status.MISSING:
                self._cache.put(facts.id, CacheEntry.from_facts(facts))

    def count_folders(self) -> int:
        """Returns how many folders there are to watch, without ignored ones."""
        return sum(1 for _ in self._walk.everything())

    def documents(self) -> list[DocumentId]:
        """Lists the documents without reading them."""
        listings = self._walk.everything()
        return [DocumentId(posixpath.join(listing.folder, name)) for listing in listings for name in listing.files]

    async def crawl(self) -> tuple[Observation, ...]:
        """Looks at everything, and returns what changed against the stat cache, and what was removed."""
        async with self._lock:
            return await anyio.to_thread.run_sync(self._crawl)

    async def look(self, paths: Iterable[str]) -> tuple[Observation, ...]:
        """Looks at these paths and everything below them; returns the same as `crawl`."""
        wanted = frozenset(paths)
        async with self._lock:
            return await anyio.to_thread.run_sync(self._look, wanted)

    async def read_generated(self, declarers: Mapping[DocumentId, DocumentId]) -> tuple[Observation, ...]:
        """Hashes and scans generated documents. They are in no source folder, and so never in the stat cache."""
        async with self._lock:
            return await anyio.to_thread.run_sync(self._read_generated, declarers)

    def _read_generated(self, declarers: Mapping[DocumentId, DocumentId]) -> tuple[Observation, ...]:
        read = self._reader.read_afresh
        files = ((each, self._links.absolute(generated_file(each))) for each in declarers)
        return tuple(replace(read(each, file), declarer=declarers[each]) for each, file in files)

    async def recheck(self) -> tuple[Observation, ...]:
        """Looks once more at documents that were hashed so soon after a change that another might not show.

        Each is rechecked once, and only if its stat is still the same: another stat has an event, and may be half of a
        save. What could not be read for lack of resources is retried each time, until it can be.
        """
        due = self._reader.racy_until(time.monotonic() - RACY_NS / 1e9)
        if not (due or self._reader.unread or self._ignore.is_incomplete):
            return ()
        async with self._lock:
            observations = await anyio.to_thread.run_sync(self._recheck, due)
        self._reader.forget_racy(due)
        return observations

    async def check_hard_links(self, *, briefly: bool = False) -> tuple[Observation, ...]:
        """Looks at files with several hard links; `briefly`: only at the next few in turn, in a limited time."""
        if not self._hard_links:
            return ()
        async with self._lock:
            return await anyio.to_thread.run_sync(self._check_hard_links, briefly)

    def _crawl(self) -> tuple[Observation, ...]:
        return self._reader.read(self._comparison.everywhere())

    def _look(self, paths: frozenset[str]) -> tuple[Observation, ...]:
        return self._reader.read(self._comparison.at(paths))

    def _recheck(self, racy: list[DocumentId]) -> tuple[Observation, ...]:
        if self._ignore.is_incomplete:
            return self._crawl()
        unread = self._reader.unread
        topmost = (path for path in unread if unread.isdisjoint(with_ancestors(posixpath.dirname(path))))
        return self._look(frozenset(topmost).union(each for each in racy if self._has_cached_stat(each)))

    def _check_hard_links(self, briefly: bool) -> tuple[Observation, ...]:  # noqa: FBT001 - called in a thread
        changed = self._hard_links.changed(briefly=briefly)
        return self._look(frozenset(changed)) if changed else ()

    def _has_cached_stat(self, document: DocumentId) -> bool:
        entry = self._cache.get(document)
        try:
            return entry is not None and entry.has_stat(Path(self._links.absolute(document)).stat())
        except OSError:
            return False

    def _checkpoint(self) -> None:
        """Shows progress, and ends a look that was cancelled."""
        self._on_progress()
        from_thread.check_cancelled()


class _Reading(NamedTuple):
    """The result for one document: its new cache entry (None: none) and the observation to report, if any."""

    document: DocumentId
    entry: CacheEntry | None
    observation: Observation | None


class _Reader:
    """Hashes and scans the documents that may have changed, and updates the stat cache.

    `unread` are the documents that could not be read for lack of resources.
    """

    def __init__(
        self, cache: StatCache, scanner: Scanner, log: Callable[..., None], checkpoint: Callable[[], None]
    ) -> None:
        self._cache = cache
        self._scanner = scanner
        self._log = log
        self._checkpoint = checkpoint
        self._racy: dict[DocumentId, float] = {}
        self.unread: set[DocumentId] = set()

    def racy_until(self, until: float) -> list[DocumentId]:
        """Returns the documents with a racy stat that were hashed until then, on the monotonic clock."""
        return [document for document, hashed_at in self._racy.items() if hashed_at <= until]

    def forget_racy(self, documents: Iterable[DocumentId]) -> None:
        """Trusts these documents' stats from now on: if the clock was set back, they would stay racy for good."""
        for document in documents:
            self._racy.pop(document, None)

    def read(self, differences: Differences) -> tuple[Observation, ...]:
        """Reads the suspects, updates the cache with all differences, and returns the observations to report."""
        readings = [
            *map(self._read, differences.suspects.keys(), differences.suspects.values()),
            *(self._failed(document, problem) for document, problem in sorted(differences.unreadable.items())),
            *(_Reading(document, None, Observation(document)) for document in sorted(differences.removed)),
        ]
        for reading in readings:
            self._update_cache(reading)
        return tuple(reading.observation for reading in readings if reading.observation is not None)

    def read_afresh(self, document: DocumentId, file: str) -> Observation:
        """Hashes and scans a file, whatever is known of it, and remembers nothing."""
        self._checkpoint()
        try:
            hashed = hash_file(file, keep=self._scanner.wants(document))
        except OSError as error:
            return Observation(document, problem=unreadable(document, error))
        if hashed is None:
            return Observation(document)
        scan = Scan() if hashed.content is None else self._scan(document, hashed.content)
        if scan.problem:
            return Observation(document, problem=scan.problem)
        return Observation(document, hashed.digest, None, scan)

    def _read(self, document: DocumentId, file: str) -> _Reading:
        self._checkpoint()
        try:
            hashed = hash_file(file, keep=self._scanner.wants(document))
        except OSError as error:
            return self._failed(document, unreadable(document, error))
        if hashed is None:
            was_known = self._cache.get(document) is not None
            return _Reading(document, None, Observation(document) if was_known else None)
        observation = self._observe(document, hashed)
        if observation and observation.scan and observation.scan.problem:
            return self._failed(document, observation.scan.problem)
        return _Reading(document, CacheEntry(hashed.digest, hashed.stat), observation)

    def _observe(self, document: DocumentId, hashed: HashedFile) -> Observation | None:
        """Returns the observation of a hashed file; None if it is as it was known."""
        entry = self._cache.get(document)
        if entry is None or entry.content_hash != hashed.digest:
            scan = Scan() if hashed.content is None else self._scan(document, hashed.content)
            return Observation(document, hashed.digest, hashed.stat, scan)
        if _is_same_stat(entry.stat, hashed.stat):
            return None
        return Observation(document, hashed.digest, hashed.stat)

    def _scan(self, document: DocumentId, content: bytes) -> Scan:
        try:
            return self._scanner.scan(document, content)
        except Exception as error:  # noqa: BLE001 - a renderer's fault: the document fails, the daemon does not
            message = f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]
            self._log("document.unscanned", document=document, error=message)
            return Scan(problem=Problem(f"its dependencies can't be found: {message}", document, 0, "simplify it"))

    def _failed(self, document: DocumentId, problem: Problem) -> _Reading:
        entry = self._cache.get(document)
        is_known = entry is not None and entry.problem == problem
        observation = None if is_known else Observation(document, problem=problem)
        return _Reading(document, CacheEntry(problem=problem), observation)

    def _update_cache(self, reading: _Reading) -> None:
        document, entry, _ = reading
        if entry and entry.problem and entry.problem.passing:
            self.unread.add(document)
        else:
            self.unread.discard(document)
        if entry is None:
            self._cache.drop(document)
            return
        self._cache.put(document, entry)
        if entry.stat is not None and is_racy(entry.stat):
            self._racy[document] = time.monotonic()


def _is_same_stat(before: Stat | None, after: Stat) -> bool:
    """Returns whether a stat need not be stored: it differs at most in the time of hashing.

    That time alone matters only where the stat can be trusted now and could not be before.
    """
    if before is None or replace(before, hashed_ns=after.hashed_ns) != after:
        return False
    return is_racy(after) or not is_racy(before)
