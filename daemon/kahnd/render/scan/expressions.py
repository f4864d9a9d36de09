r"""The regular expressions of a rule's `scan`, matched by RE2 in time linear in the text.

RE2 never backtracks, so no document can hang the daemon. Its syntax is Python's without look-around and
back-references, which no linear algorithm supports. Where RE2 reads an expression differently from Python, the
expression is rewritten to keep Python's meaning: `\w` matches letters of every script, `{,3}` is a repetition.
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

MAX_PATHS: Final = 10_000
"""The limit on paths found in one document."""
TIME_LIMIT_S: Final = 10.0
"""The time limit for all matches in one document: each is linear, but there can be one per character of the text."""
MAX_EXPRESSION: Final = 2_000
"""The limit on an expression's length, in characters."""
MAX_WORK: Final = 1 << 35
"""The limit on bytes of text × instructions of the compiled expression."""

_ESCAPE: Final = re.compile(
    r"\\u(?P<short>[0-9A-Fa-f]{4})|\\U(?P<long>[0-9A-Fa-f]{8})|\\(?P<other>.)|(?P<class>\[\^?\]?)|(?P<end>\])|\{,(?=\d+\})",
    re.DOTALL,
)
_WORD: Final = r"\p{L}\p{N}_"
_SPACE: Final = r"\s\v\x1c-\x1f\x{85}\p{Z}"
_MEANS: Final = {"Z": r"\z", "d": r"\p{Nd}", "D": r"\P{Nd}"}
_SETS: Final = {"w": _WORD, "s": _SPACE}
_UNSUPPORTED: Final = re.compile(r"invalid perl operator|invalid escape sequence: \\[1-9]")


def expression_error(expression: str, groups: Sequence[str] = ("path",)) -> str | None:
    """The error in an expression, as the end of a sentence that begins with it; None if it has none.

    `groups`: what its first groups have to be, or the groups that have these names.
    """
    import re2  # noqa: PLC0415 - only rules that scan need it

    if len(expression) > MAX_EXPRESSION:
        return f"is longer than {MAX_EXPRESSION:,} characters"
    if any("\ud800" <= each <= "\udfff" for each in expression):
        return "holds half a character (a lone surrogate)"
    try:
        compiled = _compiled(expression)
    except re2.error as error:
        said = error.args[0].decode(errors="replace").replace("(?m)", "", 1)
        if _UNSUPPORTED.match(said):
            return (
                f"can't be used ({said}): look-around, back-references and flags other than i, m and s are not "
                "supported, as they can take for ever; match what stands around the path, and put the path in a group"
            )
        return f"is no regular expression: {said}"
    if compiled.groups < len(groups):
        return _too_few(groups)
    named = set(groups) & set(compiled.groupindex)
    return f"names only its {min(named)}; name {' and '.join(groups)}" if named and named != set(groups) else None


def _too_few(groups: Sequence[str]) -> str:
    if len(groups) == 1:
        return f"has no group; its first group is the {groups[0]}"
    return f"has too few groups; its first ones are the {' and the '.join(groups)}"


def searched(expression: str, text: str, names: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """All matches in a short text: the lines that it stands in, and a group for each name; "" for one without a part.

    If the expression names a group like the first of `names`, these are its groups with such names; otherwise its first
    groups, in this order.
    """
    compiled = _compiled(expression)
    named = [compiled.groupindex.get(each, 0) for each in names]
    numbered = [number if number <= compiled.groups else 0 for number in range(1, len(names) + 1)]
    order = named if named[0] else numbered
    content = text.encode(errors="replace")
    for match in compiled.finditer(content):
        start, end = content.rfind(b"\n", 0, match.start()) + 1, content.find(b"\n", match.end())
        groups = tuple(_decoded(match[each]) if each else "" for each in order)
        yield _decoded(content[start : end if end >= 0 else None]), groups


def _decoded(part: bytes | None) -> str:
    return (part or b"").decode(errors="replace")


def find(expressions: Sequence[str], text: str, file: str) -> tuple[tuple[int, str], ...]:
    """The paths that the expressions find, each with the line of its first match, in the order of the text.

    Raises ProblemError, with the file and line, if there are too many or the search takes too long.
    """
    content = text.encode(errors="replace")
    until = time.monotonic() + TIME_LIMIT_S
    first: dict[str, int] = {}
    for expression in expressions:
        for start, path in _matches(expression, content, file, until):
            first[path] = min(start, first.get(path, start))
            if len(first) > MAX_PATHS:
                message = f"its rule's scan finds more than {MAX_PATHS:,} paths"
                raise ProblemError(Problem(message, file, _line(content, start), "split the file, or correct `scan`"))
    return tuple(_with_lines(content, sorted((start, path) for path, start in first.items())))


def _matches(expression: str, content: bytes, file: str, until: float) -> Iterator[tuple[int, str]]:
    compiled = _compiled(expression)
    remedy = "split the file, or make the expression in the rule's `scan` simpler"
    if compiled.programsize * len(content) > MAX_WORK:
        raise ProblemError(Problem(f"too large for its rule's scan: {expression!r}", file, 0, remedy))
    for match in compiled.finditer(content):
        start, end = match.span(1)
        if time.monotonic() > until:
            message = f"its rule's scan takes longer than {TIME_LIMIT_S:g} s: {expression!r}"
            raise ProblemError(Problem(message, file, _line(content, match.start()), remedy))
        if end > start:
            yield start, content[start:end].decode(errors="replace")


def _line(content: bytes, start: int) -> int:
    return content.count(b"\n", 0, start) + 1


def _with_lines(content: bytes, found: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The paths with their lines, for matches in the order of the text, which is counted through once."""
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
    """The expression in RE2's syntax with Python's meaning."""
    in_class = False

    def translated(match: re.Match[str]) -> str:
        nonlocal in_class
        if match["class"]:
            if not in_class:
                in_class = True
                return match["class"]
            in_class = not match["class"].endswith("]")
            return f"\\{match['class']}"  # a bracket inside a class is a literal character
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
