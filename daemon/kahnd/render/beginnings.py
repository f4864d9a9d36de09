"""What a regular expression's matches can begin with, read from its parsed form: never too little, sometimes too much.

Of ASCII's characters only: what begins with another is asked of no expression here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import reduce
from re import _constants, _parser  # type: ignore[attr-defined]  # there is no public way to an expression's form
from typing import Any, Final

ASCII: Final = frozenset(map(chr, range(128)))
_SEPARATORS: Final = frozenset("\x1c\x1d\x1e\x1f")
"""Blank or not, by whether an expression is for ASCII alone."""
_DIGITS: Final = frozenset(filter(str.isdigit, ASCII))
_BLANKS: Final = frozenset(filter(str.isspace, ASCII))
_WORDS: Final = frozenset(filter(str.isalnum, ASCII)) | {"_"}
_CATEGORIES: Final[Mapping[object, frozenset[str]]] = {
    _constants.CATEGORY_DIGIT: _DIGITS,
    _constants.CATEGORY_NOT_DIGIT: ASCII - _DIGITS,
    _constants.CATEGORY_SPACE: _BLANKS,
    _constants.CATEGORY_NOT_SPACE: ASCII - _BLANKS | _SEPARATORS,
    _constants.CATEGORY_WORD: _WORDS,
    _constants.CATEGORY_NOT_WORD: ASCII - _WORDS,
}
_OF_NO_WIDTH: Final = frozenset({_constants.AT, _constants.ASSERT, _constants.ASSERT_NOT})
_REPEATS: Final = frozenset({_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT})

_Found = tuple[frozenset[str], bool]
"""What something can begin with; and whether it may be empty, so that what follows it counts, too."""
_ANYTHING: Final[_Found] = (ASCII, False)


def beginning_of(expression: re.Pattern[str]) -> frozenset[str]:
    """The ASCII characters that a match can begin with; all of them where it may be empty, or that is not plain."""
    found, may_be_empty = _of_sequence(
        _parser.parse(expression.pattern, expression.flags), any_case=bool(expression.flags & re.IGNORECASE)
    )
    return ASCII if may_be_empty else found


def _of_sequence(items: Iterable[tuple[Any, Any]], *, any_case: bool) -> _Found:
    found: frozenset[str] = frozenset()
    for operation, argument in items:
        of_item, may_be_empty = _of_item(operation, argument, any_case=any_case)
        found |= of_item
        if not may_be_empty:
            return found, False
    return found, True


def _of_item(operation: object, argument: Any, *, any_case: bool) -> _Found:
    if operation in _OF_NO_WIDTH:
        return frozenset(), True
    if operation is _constants.SUBPATTERN:
        _, added, removed, inner = argument
        return _of_sequence(inner, any_case=bool((any_case or added & re.IGNORECASE) and not removed & re.IGNORECASE))
    if operation is _constants.BRANCH:
        return reduce(_either, (_of_sequence(each, any_case=any_case) for each in argument[1]))
    if operation in _REPEATS:
        fewest, _, inner = argument
        found, may_be_empty = _of_sequence(inner, any_case=any_case)
        return found, may_be_empty or not fewest
    if operation in {_constants.LITERAL, _constants.NOT_LITERAL, _constants.IN}:
        return _of_character(operation, argument, any_case=any_case), False
    return _ANYTHING


def _either(one: _Found, other: _Found) -> _Found:
    return one[0] | other[0], one[1] or other[1]


def _of_character(operation: object, argument: Any, *, any_case: bool) -> frozenset[str]:
    members = argument if operation is _constants.IN else [(_constants.LITERAL, argument)]
    others = operation is _constants.NOT_LITERAL or members[0][0] is _constants.NEGATE
    if others and any_case:
        return ASCII  # what is found below may be too much, so what is left may be too little
    found = frozenset[str]().union(*(_of_member(*each, any_case=any_case) for each in members))
    return ASCII - found | _SEPARATORS if others else found


def _of_member(operation: object, argument: Any, *, any_case: bool) -> frozenset[str]:
    """What is found for one of a set's members; the `^` before them is one, too."""
    if operation is _constants.NEGATE:
        return frozenset()
    if operation is _constants.CATEGORY:
        return _CATEGORIES[argument]
    first, last = argument if operation is _constants.RANGE else (argument, argument)
    found = frozenset(map(chr, range(first, min(last, 127) + 1)))
    if not any_case:
        return found
    # Some letters beyond ASCII are another case of one in it.
    return ASCII if last not in range(128) else found | set(map(str.lower, found)) | set(map(str.upper, found))
