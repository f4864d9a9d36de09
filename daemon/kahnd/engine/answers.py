"""What an engine answers."""

from __future__ import annotations

from dataclasses import dataclass

from kahnd.core.messages import Report
from kahnd.core.model import DocumentId


@dataclass(frozen=True, slots=True)
class Answered:
    """A report and how long it took, in milliseconds."""

    report: Report
    duration_ms: float


@dataclass(frozen=True, slots=True)
class AtHand:
    """What the engine has at hand: renderings begun, each with the seconds since, and how long its queues are."""

    jobs: tuple[tuple[DocumentId, float], ...]
    scheduled: int
    events: int
    uncommitted: int
