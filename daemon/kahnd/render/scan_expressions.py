r"""The regular expressions of a rule's `scan`, matched in time linear in the text.

RE2 never backtracks, so no document can hang whoever scans it. Its syntax is Python's but for look-around and
back-references, which no linear algorithm has. Where the two would read the same expression differently, it is
rewritten to mean what Python means: `\w` takes letters of every script, `{,3}` is a repetition.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from kahnd.core.problem import Problem
from kahnd.render.files import ProblemError

if TYPE_CHECKING:
    import re2

MOST_FOUND: Final = 10_000
"""So many paths one document may refer to."""
LONGEST_S: Final = 10.0
"""The time all matches in one document may take: each is linear, but there can be as many as the text has letters."""
LONGEST_EXPRESSION: Final = 2_000
"""Characters; nobody reads a longer one."""
MOST_WORK: Final = 1 << 35
"""Bytes of text × instructions of the compiled expression."""

_ESCAPE: Final = re.compile(
    r"\\u(?P<short>[0-9A-Fa-f]{4})|\\U(?P<long>[0-9A-Fa-f]{8})|\\(?P<other>.)|(?P<class>\[\^?\]?)|(?P<end>\])|\{,(?=\d+\})",
    re.DOTALL,
)
_WORD: Final = r"\p{L}\p{N}_"
_SPACE: Final = r"\s\v\x1c-\x1f\x{85}\p{Z}"
_MEANS: Final = {"Z": r"\z", "d": r"\p{Nd}", "D": r"\P{Nd}"}
_SETS: Final = {"w": _WORD, "s": _SPACE}
_BEYOND: Final = re.compile(r"invalid perl operator|invalid escape sequence: \\[1-9]")


def objection(expression: str) -> str | None:
    """What is wrong with an expression, as the end of a sentence that begins with it; None where nothing is."""
    import re2  # noqa: PLC0415 - only rules that scan need it

    if len(expression) > LONGEST_EXPRESSION:
        return f"is longer than {LONGEST_EXPRESSION:,} characters"
    if any("\ud800" <= each <= "\udfff" for each in expression):
        return "holds half a character (a lone surrogate)"
    try:
        compiled = _compiled(expression)
    except re2.error as error:
        said = error.args[0].decode(errors="replace").replace("(?m)", "", 1)
        if _BEYOND.match(said):
            return (
                f"can't be used ({said}): look-around, back-references and flags other than i, m and s are not "
                "supported, as they can take for ever; match what stands around the path, and put the path in a group"
            )
        return f"is no regular expression: {said}"
    return None if compiled.groups else "has no group; its first group is the path"


def find(expressions: Sequence[str], text: str, file: str) -> tuple[tuple[int, str], ...]:
    """The paths that the expressions find, each with the line it first stands on, in the order of the text.

    Raises ProblemError, with the file and line, where there are too many or the search takes too long.
    """
    content = text.encode(errors="replace")
    until = time.monotonic() + LONGEST_S
    first: dict[str, int] = {}
    for expression in expressions:
        for start, path in _matches(expression, content, file, until):
            first[path] = min(start, first.get(path, start))
            if len(first) > MOST_FOUND:
                message = f"its rule's scan finds more than {MOST_FOUND:,} paths"
                raise ProblemError(Problem(message, file, _line(content, start), "split the file, or correct `scan`"))
    return tuple(_with_lines(content, sorted((start, path) for path, start in first.items())))


def _matches(expression: str, content: bytes, file: str, until: float) -> Iterator[tuple[int, str]]:
    compiled = _compiled(expression)
    remedy = "split the file, or make the expression in the rule's `scan` simpler"
    if compiled.programsize * len(content) > MOST_WORK:
        raise ProblemError(Problem(f"too large for its rule's scan: {expression!r}", file, 0, remedy))
    for match in compiled.finditer(content):
        start, end = match.span(1)
        if time.monotonic() > until:
            message = f"its rule's scan takes longer than {LONGEST_S:g} s: {expression!r}"
            raise ProblemError(Problem(message, file, _line(content, match.start()), remedy))
        if end > start:
            yield start, content[start:end].decode(errors="replace")


def _line(content: bytes, start: int) -> int:
    return content.count(b"\n", 0, start) + 1


def _with_lines(content: bytes, found: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines of places in their order: the text is counted through once."""
    line, counted = 1, 0
    for start, path in found:
        line += content.count(b"\n", counted, start)
        counted = start
        yield line, path


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re2._Regexp:
    import re2  # noqa: PLC0415 - only rules that scan need it

    options = re2.Options()
    options.log_errors = False
    return re2.compile(f"(?m){_as_re2(expression)}", options)


def _as_re2(expression: str) -> str:
    """The expression in RE2's syntax, with Python's meaning."""
    in_class = False

    def translated(match: re.Match[str]) -> str:
        nonlocal in_class
        if match["class"]:
            if not in_class:
                in_class = True
                return match["class"]
            in_class = not match["class"].endswith("]")
            return f"\\{match['class']}"  # within a class, a bracket is a character
        if match["end"]:
            in_class = False
            return "]"
        if letter := match["other"]:
            return _escape(letter, in_class=in_class)
        if code := match["short"] or match["long"]:
            return rf"\x{{{code}}}"
        return match[0] if in_class else "{0,"

    return _ESCAPE.sub(translated, expression)


def _escape(letter: str, *, in_class: bool) -> str:
    if letter in _SETS:
        return _SETS[letter] if in_class else f"[{_SETS[letter]}]"
    if letter.lower() in _SETS and not in_class:
        return f"[^{_SETS[letter.lower()]}]"
    if not letter.isascii():
        return letter
    return _MEANS.get(letter, f"\\{letter}")
