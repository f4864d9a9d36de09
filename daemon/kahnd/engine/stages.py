"""Where the time of a build goes, stage by stage: a latency budget."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from kahnd.core.model import DocumentId, Scan
from kahnd.ports import Scanner, Stage


class Stages:
    """Fulfils ports.Meter: what was spent since it was last asked. What goes on at the same time counts as often."""

    def __init__(self) -> None:
        self._spent = dict.fromkeys(Stage, 0.0)

    def spent(self, stage: Stage, seconds: float) -> None:
        """Add to a stage."""
        self._spent[stage] += seconds

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Add what the block takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent(stage, time.perf_counter() - began)

    def take(self) -> Mapping[str, float]:
        """Milliseconds by stage, to begin anew. A look is hashing but for the scanning in it."""
        spent, self._spent = self._spent, dict.fromkeys(Stage, 0.0)
        spent[Stage.HASH] -= spent[Stage.SCAN]
        return {stage.value: round(seconds * 1000, 2) for stage, seconds in spent.items()}


class MeteredScanner:
    """Fulfils ports.Scanner by another that does, and adds what its scans take."""

    def __init__(self, scanner: Scanner, stages: Stages) -> None:
        self._scanner = scanner
        self._stages = stages
        self.wants = scanner.wants

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        """What the other finds."""
        with self._stages.measure(Stage.SCAN):
            return self._scanner.scan(document, content)
