"""Path patterns: `*`, `?`, `[a-z]`, `{a,b}`, and `**` across folders. Only a dot matches a leading dot.

wcmatch translates a pattern into a regular expression. With several `**`, matching backtracks in time exponential in
their number; such patterns are matched folder by folder instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Final

import bracex
from wcmatch import glob

from kahnd.core.text import is_encodable

Matches = Callable[[str], bool]
GLOB_FLAGS: Final = glob.GLOBSTAR | glob.BRACE | glob.FORCEUNIX | glob.CASE
_MAGIC: Final = frozenset("*?[{")
LONGEST_PATTERN: Final = 4096
"""Characters."""
MOST_ALTERNATIVES: Final = 1_000
"""Patterns that the braces of one pattern expand to."""
LARGEST_EXPRESSION: Final = 200_000
"""Characters of the regular expression for a pattern with all its alternatives."""
MOST_GLOBSTARS: Final = 2
"""With this many `**` in one expression, matching takes at most the square of a path's length."""


def is_pattern(path: str) -> bool:
    """Tells whether a path is a pattern, and not the name of a file."""
    return not _MAGIC.isdisjoint(path)


@lru_cache(maxsize=1024)
def glob_error(pattern: str) -> str | None:
    """Returns the reason why a pattern can't be used; None if it can."""
    if len(pattern) > LONGEST_PATTERN:
        return f"it is longer than {LONGEST_PATTERN:,} characters"
    if not is_encodable(pattern):
        return "it holds half a character (a lone surrogate)"
    try:
        expression = _expression(pattern)
    except Exception:  # noqa: BLE001 - wcmatch raises a private exception at its limit
        return f"its braces stand for more than {MOST_ALTERNATIVES:,} patterns"
    if len(expression) > LARGEST_EXPRESSION:
        return "its braces stand for too much text"
    return None


@lru_cache(maxsize=1024)
def glob_matcher(pattern: str) -> Matches:
    """Returns a test of paths against a pattern; an unusable pattern (see `glob_error`) matches nothing."""
    if glob_error(pattern):
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
    """Splits a pattern into names; several `**` in a row count as one."""
    parts = [part for part in alternative.split("/") if part]
    return [part for before, part in pairwise(["", *parts]) if not before == part == "**"]


def _by_folders(pattern: str) -> Matches:
    alternatives = [_names(alternative) for alternative in _alternatives(pattern)]
    return lambda path: any(_matches_path(names, path.split("/")) for names in alternatives)


def _names(alternative: str) -> list[Matches | None]:
    """Returns matchers for the names of a path, in order; None stands for any number of names."""
    names = [None if part == "**" else _name_matcher(part) for part in _parts(alternative)]
    if alternative.startswith("/") or alternative.endswith("/"):
        names.append(lambda _name: False)  # no file's path begins or ends with a slash
    elif names and names[-1] is None:
        names.append(_name_matcher("*"))  # `a/**` matches files below the folder, not the folder itself
    return names


def _name_matcher(part: str) -> Matches:
    included, _ = glob.translate(part, flags=GLOB_FLAGS & ~glob.BRACE)
    fullmatch = re.compile("|".join(included)).fullmatch
    return lambda name: fullmatch(name) is not None


def _matches_path(names: Iterable[Matches | None], path: list[str]) -> bool:
    """Simulates all ways to match at once: `reached` has the positions on the path after each name of the pattern."""
    reached = {0}
    for matches in names:
        if matches is None:
            reached = _across_folders(reached, path)
        else:
            reached = {position + 1 for position in reached if position < len(path) and matches(path[position])}
        if not reached:
            return False
    return len(path) in reached


def _across_folders(reached: set[int], path: list[str]) -> set[int]:
    """Returns these positions and all that follow without a hidden name between."""
    found = set(reached)
    for position, name in enumerate(path):
        if position in found and not name.startswith("."):
            found.add(position + 1)
    return found
