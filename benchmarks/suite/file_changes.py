"""Waits for files to change: every measurement of kahnd and of its peers is taken in this way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

LOOK_S: Final = 0.0005
"""The pause between two checks, which is also the error of a measurement."""
LIMIT_S: Final = 300.0
CALM_S: Final = 0.1
"""After this long without a change the work is over, provided that the tool says so too."""

Identity = tuple[int, int, int] | None


class WrongError(Exception):
    """The tool did something other than what was to be measured."""


class ImpossibleError(Exception):
    """The machine does not allow the measurement."""


def until(condition: Callable[[], bool], what: str, *, limit_s: float = LIMIT_S, pause_s: float = LOOK_S) -> None:
    """Returns once the condition holds. Raises WrongError if it does not hold in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise WrongError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(pause_s)


def identity(path: Path) -> Identity:
    """Returns what distinguishes a file from its former version; None if it is missing or empty."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat.st_size else None


def identities(paths: Iterable[Path]) -> dict[Path, Identity]:
    """Returns the identity of each file."""
    return {path: identity(path) for path in paths}


class Renewal:
    """Checks that files become new. Each check resumes at the first file that was still the old one."""

    def __init__(self, before: Mapping[Path, Identity]) -> None:
        self._before = before
        self._left = list(before)

    def done(self) -> bool:
        """Returns whether all files have become new."""
        while self._left and identity(self._left[-1]) not in (None, self._before[self._left[-1]]):
            self._left.pop()
        return not self._left


def renewed_ms(
    began: float, outputs: Iterable[Path], before: Mapping[Path, Identity], quiet: Callable[[], bool]
) -> float:
    """Returns the milliseconds from `began` (of `perf_counter`) to the last change of an output.

    A tool that starts while files are still being saved may render an output twice. So the measurement ends once all
    outputs are new, none has changed for `CALM_S`, and the tool is quiet.
    """
    outputs = list(outputs)
    renewal = Renewal({output: before[output] for output in outputs})
    until(renewal.done, f"{len(outputs)} outputs are new")
    ended = calm_since = time.perf_counter()
    seen = identities(outputs)
    while time.perf_counter() - calm_since < CALM_S or not quiet():
        time.sleep(LOOK_S * 4)
        now = identities(outputs)
        if now != seen:
            seen, ended = now, time.perf_counter()
            calm_since = ended
        if time.perf_counter() - began > LIMIT_S:
            raise WrongError(f"not quiet within {LIMIT_S:.0f} s")
    return (ended - began) * 1000
