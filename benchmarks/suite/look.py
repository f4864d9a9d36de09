"""Looking at files and waiting for them: how every measurement here is taken, of kahnd and of its peers alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

LOOK_S: Final = 0.0005
"""The pause between two looks: the error of a measurement."""
LIMIT_S: Final = 300.0
CALM_S: Final = 0.1
"""Nothing has changed for so long: it is over, if the tool says so too."""

Identity = tuple[int, int, int] | None


class WrongError(Exception):
    """A measurement that is none: something else was done than what was asked for."""


class ImpossibleError(Exception):
    """A measurement that this machine does not allow."""


def until(condition: Callable[[], bool], what: str, *, limit_s: float = LIMIT_S, pause_s: float = LOOK_S) -> None:
    """Return once the condition holds. Raises WrongError where it does not in time."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise WrongError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(pause_s)


def identity(path: Path) -> Identity:
    """What tells a file from the one that was there before, or None where there is none with anything in it."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat.st_size else None


def identities(paths: Iterable[Path]) -> dict[Path, Identity]:
    """The identity of each."""
    return {path: identity(path) for path in paths}


class Renewal:
    """Sees files become new. A look goes on where the last one met a file that was still the old one."""

    def __init__(self, before: Mapping[Path, Identity]) -> None:
        self._before = before
        self._left = list(before)

    def done(self) -> bool:
        """Whether all have been new."""
        while self._left and identity(self._left[-1]) not in (None, self._before[self._left[-1]]):
            self._left.pop()
        return not self._left


def renewed_ms(
    began: float, outputs: Iterable[Path], before: Mapping[Path, Identity], quiet: Callable[[], bool]
) -> float:
    """Milliseconds from a moment (of `perf_counter`) to the last of the outputs' last renewal.

    A tool that begins while files are still being saved may make an output twice: it is over once all are new, none
    has changed for `CALM_S`, and the tool is quiet.
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
