"""How a daemon is doing: in a word, in a line for people, and in full for the log."""

from __future__ import annotations

from collections import Counter
from typing import Any

from kahnd.core.model import Status
from kahnd.engine import Engine, Patience, Pulse
from kahnd.service.api.shapes import State
from kahnd.service.session import Session
from kahnd.service.usage import usage

TOLD = (Status.DONE, Status.FAILED, Status.BLOCKED, Status.MISSING)


def word(session: Session | None, patience: Patience) -> State:
    """What `status` calls the state."""
    if patience.tried:
        return "degraded"
    if session is None or not session.engine.started.is_set():
        return "scanning"
    if session.watcher.unwatched:
        return "degraded"
    return "idle" if session.engine.machine.quiet else "rendering"


def line(session: Session | None, patience: Patience) -> str:
    """The state with its counts: "idle: 120 documents, 118 done, 2 failed", "rendering 40 of 120"."""
    if patience.tried:
        return "degraded: the database is away, and waited for"
    if session is None or not session.engine.started.is_set():
        return "scanning the sources"
    counts = _counts(session.engine)
    if not session.engine.machine.quiet:
        return _progress(session.engine)
    if unwatched := len(session.watcher.unwatched):
        return f"degraded: {_many(unwatched, 'folder')} can't be watched; {counts}"
    return f"idle: {counts}"


def ending(session: Session | None) -> str:
    """What is still waited for."""
    out = len(session.engine.at_hand().jobs) if session else 0
    return f"stopping: {_many(out, 'rendering')} to finish" if out else "stopping"


def full(patience: Patience, session: Session | None, pulse: Pulse, store: str) -> dict[str, Any]:
    """Everything that may tell why a daemon does what it does; durations in seconds."""
    engine = session.engine if session else None
    at_hand = engine.at_hand() if engine else None
    return {
        "state": word(session, patience),
        "documents": _by_status(engine) if engine else {},
        "scheduled": at_hand.scheduled if at_hand else 0,
        "jobs": [{"document": each, "age_s": round(age, 3)} for each, age in at_hand.jobs] if at_hand else [],
        "queues": {"events": at_hand.events, "uncommitted": at_hand.uncommitted} if at_hand else {},
        "waits": {what: round(seconds, 3) for what, seconds in pulse.waited_for().items()},
        "store": {"url": store, "lost": str(patience.lost) if patience.lost else None},
        "watch": {
            "backend": session.watcher.backend if session else None,
            "unwatched": len(session.watcher.unwatched) if session else 0,
        },
        **usage(),
    }


def _counts(engine: Engine) -> str:
    by_status = _by_status(engine)
    told = [f"{count} {name}" for each in TOLD if (count := by_status[name := each.lower()]) or each is Status.DONE]
    return ", ".join([_many(sum(by_status.values()), "document"), *told])


def _progress(engine: Engine) -> str:
    left = len(engine.machine.schedule)
    done, _ = engine.machine.builds.progress() or (0, "")
    return f"rendering {done} of {done + left}"


def _by_status(engine: Engine) -> dict[str, int]:
    counts: Counter[Status] = Counter(engine.machine.graph.counts)
    return {each.lower(): counts[each] for each in Status}


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
