"""Where a command was started: which project that is, and what a path on the command line means there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kahnd.config.places import find_root
from kahnd.core.problem import Problem
from kahnd.errors import UsageError


@dataclass(frozen=True)
class Place:
    """The folder that paths are relative to: the current one, or that of `-C`; absolute."""

    start: Path

    @cached_property
    def root(self) -> Path:
        """The project's folder. Raises UsageError where there is none."""
        return find_root(self.start)

    def targets(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Several paths, as `target` takes them, each once."""
        return tuple(dict.fromkeys(map(self.target, texts)))

    def target(self, text: str) -> str:
        """A path on the command line as a project path: relative to the current folder, or else to the project.

        One that is there goes first; of two that are not, the one whose folder is; else it is from the project.
        Raises UsageError where it leads out of the project, or is not UTF-8: no document has such a name.
        """
        here = _lexical(self.start.resolve(), text)
        behind_links = Path(os.path.realpath(here.parent)) / here.name  # `resolve` raises where links go in a circle
        meant = (here, behind_links, _lexical(self.root, text))
        choices = [path for path in meant if path.is_relative_to(self.root)]
        if not choices:
            raise UsageError(Problem(f"{text} is outside the project {self.root}"))
        there = [path for path in choices if os.path.lexists(path)]
        near = [path for path in choices if path.parent.is_dir()]
        return _utf8([*there, *near, choices[-1]][0].relative_to(self.root).as_posix())


def _lexical(base: Path, text: str) -> Path:
    """The path without `.` and `..`, links left alone: a document is its own path, not what it points to."""
    return Path(os.path.normpath(base / text))


def _utf8(target: str) -> str:
    try:
        target.encode()
    except UnicodeEncodeError:
        problem = Problem(f"{target} is no UTF-8, and so no document's name", remedy="rename the file")
        raise UsageError(problem) from None
    return target
