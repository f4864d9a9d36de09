"""Collects everything that is wrong with a configuration, each with its place and the nearest valid name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kahnd.config.locate import KeyPath
from kahnd.config.places import CONFIG_FILE
from kahnd.core.model import Problem
from kahnd.errors import ConfigError


@dataclass(frozen=True)
class Faults:
    """The problems so far. `lines` says where keys stand; `variables`, which of them the environment has set."""

    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    variables: Mapping[KeyPath, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, path: KeyPath, message: str, remedy: str = "") -> None:
        """Something is wrong with the value at this path, or with the innermost table of it that is there."""
        variable = next((name for name in map(self.variables.get, _upwards(path)) if name), None)
        if variable is not None:
            self.problems.append(Problem(f"{variable}: {message}", remedy=remedy))
        else:
            self.problems.append(Problem(message, CONFIG_FILE, self.line(path), remedy))

    def origin_line(self, path: KeyPath) -> int:
        """As `line`, but 0 for what the environment has set."""
        return 0 if any(each in self.variables for each in _upwards(path)) else self.line(path)

    def line(self, path: KeyPath) -> int:
        """The line of this path, or of the innermost table of it that is there; 1 where there is none."""
        return next((self.lines[each] for each in _upwards(path) if each in self.lines), 1)

    def raise_any(self) -> None:
        """Raise ConfigError with all problems in the order of their lines, if there are any."""
        if self.problems:
            raise ConfigError(*sorted(self.problems, key=lambda problem: problem.line))


def _upwards(path: KeyPath) -> Iterable[KeyPath]:
    return (path[:length] for length in range(len(path), 0, -1))


def nearest(word: str, names: Iterable[str], otherwise: str | None = None) -> str:
    """A remedy for a wrong name: the valid one that comes nearest, or else all of them (or what `otherwise` says)."""
    known = {name.lower(): name for name in sorted(names)}
    close = difflib.get_close_matches(word.lower(), known, n=1)
    if close:
        return f'did you mean "{known[close[0]]}"?'
    every = f"known are {', '.join(known.values())}" if known else ""
    return every if otherwise is None else otherwise


def label(path: KeyPath) -> str:
    """A path as people write it; within a rule, its key alone, since the line tells which rule."""
    inner = path[2:] if path[0] == "rules" else path
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in inner)
    return text.lstrip(".")
