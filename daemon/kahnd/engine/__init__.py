"""The engine: performs the machine's commands and feeds the results back."""

from kahnd.engine.engine import Engine, EngineDependencies
from kahnd.engine.maintenance import Liveness, PeriodicJob, Waits
from kahnd.engine.requests import OnProgress, TimedReport, Workload, past_renders, resolve, why
from kahnd.engine.store_writer import Backoff
from kahnd.engine.timelines import Timelines, find_timeline
from kahnd.engine.timings import MeteredScanner, PhaseTimings

__all__ = [
    "Backoff",
    "Engine",
    "EngineDependencies",
    "Liveness",
    "MeteredScanner",
    "OnProgress",
    "PeriodicJob",
    "PhaseTimings",
    "TimedReport",
    "Timelines",
    "Waits",
    "Workload",
    "find_timeline",
    "past_renders",
    "resolve",
    "why",
]
