"""The system's clocks, and build ids made from them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

from kahnd.core.model import BuildId


class SystemClock:
    """Fulfils ports.Clock."""

    def now(self) -> str:
        """The wall clock, ISO 8601 in UTC."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def suspended(self) -> float:
        """Seconds for which this machine has slept so far: one of the kernel's clocks goes on, the other doesn't.

        Zero where there is no such clock: then only the comparison that is made every so often finds what happened.
        """
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return 0.0
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def build_ids() -> Iterator[BuildId]:
    """Ids that sort by time and are not given twice: this call's moment, and a number."""
    began = datetime.now(UTC)
    moment = f"{began:%Y%m%dT%H%M%S}{began.microsecond // 1000:03}"
    return (BuildId(f"{moment}-{number}") for number in count(1))
