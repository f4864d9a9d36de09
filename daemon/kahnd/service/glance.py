"""What a daemon is doing, at a price that does not grow with the project: for whoever looks ten times a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Protocol

from kahnd.core.graph import Graph, Node
from kahnd.core.model import DocumentId, Problem, Status
from kahnd.engine import Engine

MOST: Final = 200
"""So many failures are told one by one."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A rendering under way: in which generation, and for how many seconds."""

    document: DocumentId
    generation: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Wrong:
    """A document that is FAILED, or BLOCKED by another."""

    document: DocumentId
    problem: Problem
    because: DocumentId | None = None


@dataclass(frozen=True, slots=True)
class Glance:
    """One moment of a daemon.

    `done` of `total` documents of the build that `cause` began; no cause: all is quiet. `wrong` are the first of those
    that failed or are blocked, of whom `counts` tells how many there are, and `broken` all their names. `trouble`: why
    the database is waited for; `unwatched`: folders; `mistakes`: what is wrong with `kahnd.toml`, while the last good
    one is used.
    """

    state: str
    counts: Mapping[str, int] = field(default_factory=dict)
    cause: str = ""
    done: int = 0
    total: int = 0
    running: tuple[Rendering, ...] = ()
    wrong: tuple[Wrong, ...] = ()
    broken: tuple[DocumentId, ...] = ()
    trouble: str = ""
    unwatched: tuple[str, ...] = ()
    mistakes: tuple[Problem, ...] = ()

    @property
    def busy(self) -> bool:
        """Whether something goes on, so that another glance would show something else."""
        return bool(self.cause or self.running or self.state == "scanning")


Look = Callable[[], Glance]


class Onlooker(Protocol):
    """Sees what a daemon does, beside its log. What it does about it must take no time of the daemon's."""

    def told(self, event: str, fields: Mapping[str, Any]) -> None:
        """Something was logged (whatever the log's level), on whichever thread."""
        ...

    async def follow(self, look: Look, say: Callable[..., None]) -> None:
        """For as long as the daemon runs: cancelled at its end. `say` writes a log line."""
        ...

    def close(self) -> None:
        """The daemon is over, however it came to be so."""
        ...


def glance(engine: Engine | None, state: str, **now: Any) -> Glance:
    """At the session of the moment; `now` is what only the daemon knows: trouble, unwatched, mistakes."""
    if engine is None:
        return Glance(state, **now)
    graph, schedule, builds = engine.machine.graph, engine.machine.schedule, engine.machine.builds
    done, _ = builds.progress() or (0, "")
    wrong = _wrong(graph)
    return Glance(
        state,
        counts={each.lower(): graph.counts[each] for each in Status},
        cause=(builds.current or ("", ""))[1],
        done=done,
        total=done + len(schedule),
        running=tuple(Rendering(each, schedule.generation(each), seconds) for each, seconds in engine.at_hand().jobs),
        wrong=tuple(map(_told, islice(wrong, MOST))),
        broken=tuple(node.facts.id for node in wrong),
        **now,
    )


def _wrong(graph: Graph) -> Sequence[Node]:
    """What failed goes first: it is what the others wait for."""
    return sorted(graph.wrong(), key=lambda node: node.status is Status.BLOCKED)


def _told(node: Node) -> Wrong:
    return Wrong(
        node.facts.id,
        node.facts.problem or Problem(node.status.lower()),
        node.facts.because if node.status is Status.BLOCKED else None,
    )
