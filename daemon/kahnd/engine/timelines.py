"""Records when each rendering was ready, began and ended, for the last builds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kahnd.core.model import BuildId, BuildRecord, Failed, HistoryEntry, Job, Outcome, Problem, Rendered, RunId
from kahnd.core.renderings import document_of
from kahnd.core.scheduler import Readiness
from kahnd.core.timeline import BuildTimeline, Ending, RecordedBuild, RenderSpan, of_history
from kahnd.errors import UsageError

MAX_RENDERS: Final = 100_000
"""Renderings that are kept of all builds: 6 MB."""
MAX_BUILDS: Final = 50
LAST: Final = "last"
MAX_SEARCHED: Final = 10_000
"""Finished builds that are searched in the database: more than it keeps."""
MAX_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class WorkerTime:
    """The time that a worker took for a job: when it ended, by the monotonic clock, and for how many seconds it ran."""

    ended: float
    seconds: float
    lane: int


class Timelines:
    """Keeps the builds that began last, the one under way included. Outlives sessions; costs the same per rendering."""

    def __init__(
        self,
        max_renders: int = MAX_RENDERS,
        max_builds: int = MAX_BUILDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._max_renders = max_renders
        self._max_builds = max_builds
        self._builds: deque[RecordedBuild] = deque()
        self._kept = 0
        self._indices: dict[RunId, int] = {}
        self.on_build: Callable[[RecordedBuild], None] | None = None
        """Takes each build that has ended. Nothing is added to it after that."""

    def begin(self, build: BuildId, cause: str, started_at: str, began: float) -> None:
        """Records the beginning of a build, and forgets the oldest if there are too many."""
        self._indices.clear()
        if self._builds and self._builds[-1].until_ms is None:  # its session ended before it did
            self._builds[-1].until_ms = (began - self._builds[-1].began) * 1000
        self._builds.append(RecordedBuild(build, cause, started_at, began))
        while len(self._builds) > self._max_builds:
            self._forget_oldest()

    def ended(self, job: Job, ready: Readiness, outcome: Outcome | None, took: WorkerTime) -> None:
        """Records the end of a run. That of a good rendering counts as dropped until it is `accepted`."""
        if not self._builds or (build := self._builds[-1]).until_ms is not None:
            return  # it was cancelled, and its build is over
        if outcome is None and not (took.seconds and took.ended - took.seconds >= build.began):
            return  # it was cancelled before a worker took it up, or belongs to an earlier build
        while self._kept >= self._max_renders and len(self._builds) > 1:
            self._forget_oldest()
        if self._kept >= self._max_renders:
            build.left_out += 1
            return
        started = took.ended - took.seconds
        self._indices[job.run] = build.add(
            RenderSpan(
                job.document,
                took.lane,
                max(0.0, min(ready.since, started) - build.began) * 1000,
                max(0.0, started - build.began) * 1000,
                (took.ended - build.began) * 1000,
                ready.generation,
                _ending(outcome),
                None if ready.after is None else document_of(ready.after),
            )
        )
        self._kept += 1

    def accepted(self, run: RunId) -> None:
        """Records that the result of a run counts."""
        self._correct(run, Ending.RENDERED)

    def failed(self, run: RunId) -> None:
        """Records that the result of a run could not be published."""
        self._correct(run, Ending.FAILED)

    def end(self, record: BuildRecord) -> None:
        """Records the end of the build."""
        self._indices.clear()
        if self._builds and self._builds[-1].build == record.id:
            self._builds[-1].until_ms = record.duration_ms
            if self.on_build is not None:
                self.on_build(self._builds[-1])

    def now(self) -> float:
        """Return the time by the clock that the builds are measured with."""
        return self._clock()

    def newest_first(self) -> list[RecordedBuild]:
        """Returns the builds that are kept."""
        return list(reversed(self._builds))

    def _correct(self, run: RunId, ending: Ending) -> None:
        index = self._indices.get(run)
        if index is not None:
            self._builds[-1].correct(index, ending)

    def _forget_oldest(self) -> None:
        self._kept -= len(self._builds.popleft())


def _ending(outcome: Outcome | None) -> Ending:
    if outcome is None:
        return Ending.CANCELLED
    if isinstance(outcome, Rendered):
        return Ending.DROPPED
    return Ending.FAILED if isinstance(outcome, Failed) else Ending.STOPPED


class PastBuilds(Protocol):
    """The builds that the database knows: `ports.Store`, or an engine that asks it."""

    async def builds(self, limit: int) -> tuple[BuildRecord, ...]:
        """Return finished builds, newest first."""
        ...

    async def renders_of(self, build: BuildRecord) -> tuple[HistoryEntry, ...]:
        """Return the renders of a finished build."""
        ...


async def find_timeline(wanted: str, past: PastBuilds, recent: Timelines) -> BuildTimeline:
    """Return the timeline of a build, from memory or else from the history.

    `wanted`: its id, or the beginning of that; or `last` for the last build that rendered anything, which may be under
    way. Raises UsageError for a build that is not known, or more than one.
    """
    kept = {each.build: each for each in recent.newest_first()}
    if wanted == LAST and (last := next((each for each in kept.values() if len(each)), None)):
        return last.timeline(recent.now())
    if wanted in kept:
        return kept[BuildId(wanted)].timeline(recent.now())
    stored = {each.id: each for each in await past.builds(MAX_SEARCHED)}
    if wanted == LAST:
        found = next((each.id for each in stored.values() if each.rendered or each.failed), None)
        if found is None:
            raise UsageError(Problem("nothing was rendered yet", remedy="`kahnd build` renders what there is"))
    else:
        found = _only([*dict.fromkeys([*kept, *stored])], wanted)
    return kept[found].timeline(recent.now()) if found in kept else await _stored_timeline(stored[found], past)


async def _stored_timeline(record: BuildRecord, past: PastBuilds) -> BuildTimeline:
    return of_history(record, await past.renders_of(record))


def _only(builds: Sequence[BuildId], wanted: str) -> BuildId:
    """Return the one build whose id begins so, of these, which are newest first."""
    found = [each for each in builds if each == wanted] or [each for each in builds if each.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    newest = ", ".join((found or builds)[:MAX_NAMED])
    remedy = f"the newest: {newest}; `last` is the last one that rendered anything" if newest else ""
    problem = f"there are {len(found)} builds whose ids begin with {wanted}" if found else f"there is no build {wanted}"
    raise UsageError(Problem(problem, remedy=remedy))
