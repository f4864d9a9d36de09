"""Patterns of paths: `*`, `?`, `[a-z]`, `{a,b}`, and `**` across folders. A leading dot must be matched by a dot.

wcmatch makes a regular expression of a pattern. Each `**` in it can give back what it has taken, so that with several
of them a path that does not match takes time exponential in their number: such patterns are matched folder by folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

import bracex
from wcmatch import glob

from kahnd.core.text import is_whole

Matches = Callable[[str], bool]
GLOB_FLAGS: Final = glob.GLOBSTAR | glob.BRACE | glob.FORCEUNIX | glob.CASE
LONGEST_PATTERN: Final = 4096
"""Characters."""
MOST_ALTERNATIVES: Final = 1_000
"""Patterns that the braces in one stand for."""
LARGEST_EXPRESSION: Final = 200_000
"""Characters of the regular expression that a pattern with all its alternatives makes."""
MOST_GLOBSTARS: Final = 2
"""So many `**` in one expression take at most the square of a path's length."""


@lru_cache(maxsize=1024)
def glob_objection(pattern: str) -> str | None:
    """Why a pattern can't be used; None where it can."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN:,} characters"
    if not is_whole(pattern):
        return "it holds half a character (a lone surrogate)"
    try:
        expression = _expression(pattern)
    except Exception:  # noqa: BLE001 - the exception of a limit is wcmatch's own, of no public type
        return f"its braces stand for more than {MOST_ALTERNATIVES:,} patterns"
    if len(expression) > LARGEST_EXPRESSION:
        return "its braces stand for too much text"
    return None


@lru_cache(maxsize=1024)
def glob_matcher(pattern: str) -> Matches:
    """A test of paths against a pattern; one that can't be used (see `glob_objection`) matches nothing."""
    if glob_objection(pattern):
        return lambda _path: False
    if max(map(_globstars, _alternatives(pattern)), default=0) > MOST_GLOBSTARS:
        return _by_folders(pattern)
    fullmatch = re.compile(_expression(pattern)).fullmatch
    return lambda path: fullmatch(path) is not None


def _expression(pattern: str) -> str:
    included, _ = glob.translate(pattern, flags=GLOB_FLAGS, limit=MOST_ALTERNATIVES)
    return "|".join(f"(?:{each})" for each in included) or r"(?!)"


def _alternatives(pattern: str) -> list[str]:
    return list(bracex.iexpand(pattern, keep_escapes=True, limit=MOST_ALTERNATIVES)) if "{" in pattern else [pattern]


def _globstars(alternative: str) -> int:
    return _parts(alternative).count("**")


def _parts(alternative: str) -> list[str]:
    """The names in a pattern; several `**` behind one another are one."""
    parts = [part for part in alternative.split("/") if part]
    return [part for before, part in pairwise(["", *parts]) if not before == part == "**"]


def _by_folders(pattern: str) -> Matches:
    ways = [_names(alternative) for alternative in _alternatives(pattern)]
    return lambda path: any(_leads(names, path.split("/")) for names in ways)


def _names(alternative: str) -> list[Matches | None]:
    """Matchers for the names of a path, in order; None stands for any number of names."""
    found = [None if part == "**" else _name_matcher(part) for part in _parts(alternative)]
    if alternative.startswith("/") or alternative.endswith("/"):
        found.append(lambda _name: False)  # no path of a file begins or ends so
    elif found and found[-1] is None:
        found.append(_name_matcher("*"))  # what is in a folder is not the folder
    return found


def _name_matcher(part: str) -> Matches:
    included, _ = glob.translate(part, flags=GLOB_FLAGS & ~glob.BRACE)
    fullmatch = re.compile("|".join(included)).fullmatch
    return lambda name: fullmatch(name) is not None


def _leads(names: Iterable[Matches | None], path: list[str]) -> bool:
    """Whether the names lead along the path to its end: after each, the places on the path that are reached."""
    reached = {0}
    for matches in names:
        if matches is None:
            reached = _onwards(reached, path)
        else:
            reached = {place + 1 for place in reached if place < len(path) and matches(path[place])}
        if not reached:
            return False
    return len(path) in reached


def _onwards(reached: set[int], path: list[str]) -> set[int]:
    """These places, and all that follow without a hidden name between."""
    found = set(reached)
    for place, name in enumerate(path):
        if place in found and not name.startswith("."):
            found.add(place + 1)
    return found
