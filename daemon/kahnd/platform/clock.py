"""The system's clocks, and build ids made from the time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

from kahnd.core.model import BuildId


class SystemClock:
    """Fulfils ports.Clock."""

    def now(self) -> str:
        """Return the wall clock, ISO 8601 in UTC."""
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment."""
        return time.monotonic()

    def suspended(self) -> float:
        """Return the seconds for which this machine has been suspended: CLOCK_BOOTTIME counts them.

        Zero where that clock does not exist: there only the regular rescan finds what happened meanwhile.
        """
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return 0.0
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def build_ids() -> Iterator[BuildId]:
    """Yield unique ids that sort by time: the moment of this call, and a number."""
    began = datetime.now(UTC)
    moment = f"{began:%Y%m%dT%H%M%S}{began.microsecond // 1000:03}"
    return (BuildId(f"{moment}-{number}") for number in count(1))
