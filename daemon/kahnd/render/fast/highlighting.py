"""Pygments' lexers and HTML formatter in about a fifth of the time.

Lexer: Pygments tries the regular expressions of a state one after another, some twenty for each token. Most can't match
at the current character, so only those whose matches can begin with it are tried, in the same order. The characters
that an expression can begin with (its first set) are read from its parsed form, for which `re` has no public interface.

Formatter: the bytes of HtmlFormatter with the options used here. A span ends at the end of its line and is opened again
in the next one; adjacent tokens of one class share a span.
"""

from __future__ import annotations

import copy
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from re import _constants, _parser  # type: ignore[attr-defined]  # private: see the docstring
from typing import Any, Final

from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer, RegexLexer
from pygments.token import Error, Whitespace, _TokenType

Token = tuple[int, _TokenType, str]
Rule = tuple[Callable[[str, int], re.Match[str] | None], _TokenType | None, Any, Any]
"""An expression's `match`; the type of its token, or else the function that makes tokens; the transition after it."""


class FastHighlighter:
    """Colours code of one language."""

    def __init__(self, lexer: Lexer, formatter: HtmlFormatter[str]) -> None:
        self._lexer = fast_lexer(lexer)
        self._openers = _Openers()
        self._before, code, after = _formatted(formatter).partition("</code>")
        self._after = code + after

    def __call__(self, code: str) -> str:
        """The code's HTML."""
        return f"{self._before}{self._lines(self._lexer.get_tokens(code))}{self._after}"

    def _lines(self, tokens: Iterable[tuple[_TokenType, str]]) -> str:
        pieces: list[str] = []
        put, openers = pieces.append, self._openers
        opened = None  # the open span's tag, empty for text without a span; None at the beginning of a line
        for kind, value in tokens:
            # Few tokens need it, and these tests take less time than three replacements.
            text = _escaped(value) if "&" in value or "<" in value or ">" in value else value
            opener = openers[kind]
            if "\n" in text:
                *lines, text = text.split("\n")
                for line in lines:
                    if line and opener != opened:
                        put("</span>" + opener if opened else opener)
                        opened = opener
                    put(line)
                    put("</span>\n" if opened else "\n")
                    opened = None
            if text:
                if opener != opened:
                    put("</span>" + opener if opened else opener)
                    opened = opener
                put(text)
        if opened is not None:
            put("</span>\n" if opened else "\n")
        return "".join(pieces)


class _Openers(dict[_TokenType, str]):
    """The tag with which Pygments opens the span of a token's type; empty for types without a span."""

    def __init__(self) -> None:
        super().__init__()
        self._bare = HtmlFormatter[str](nowrap=True)

    def __missing__(self, kind: _TokenType) -> str:
        self[kind] = opener = _formatted(self._bare, (kind, "*")).partition("*")[0]
        return opener


def _formatted(formatter: HtmlFormatter[str], *tokens: tuple[_TokenType, str]) -> str:
    text = io.StringIO()
    formatter.format(iter(tokens), text)
    return text.getvalue()


def _escaped(value: str) -> str:
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fast_lexer(lexer: Lexer) -> Lexer:
    """A copy of the lexer with the fast loop; a lexer whose class has a loop of its own is returned as it is."""
    if not isinstance(lexer, RegexLexer) or type(lexer).get_tokens_unprocessed is not RegexLexer.get_tokens_unprocessed:
        return lexer
    fast = copy.copy(lexer)
    fast.get_tokens_unprocessed = _Loop(fast)  # type: ignore[method-assign]
    return fast


class _Loop:
    """`RegexLexer.get_tokens_unprocessed`, with fewer expressions to try."""

    def __init__(self, lexer: RegexLexer) -> None:
        self._lexer = lexer
        self._rules: Mapping[str, Sequence[Any]] = lexer._tokens  # type: ignore[attr-defined]  # noqa: SLF001
        self._states: dict[str, _State] = {}

    def __call__(self, text: str, stack: Iterable[str] = ("root",)) -> Iterator[Token]:
        """The text's tokens."""
        position, end = 0, len(text)
        states = list(stack)
        state = self._state(states[-1])
        while True:
            for match, kind, action, transition in state[text[position]] if position < end else state.rules:
                if found := match(text, position):
                    if kind is not None:
                        yield position, kind, found[0]
                    elif action is not None:
                        yield from action(self._lexer, found)
                    position = found.end()
                    if transition is not None:
                        _move(states, transition)
                        state = self._state(states[-1])
                    break
            else:
                if position >= end:
                    return
                if text[position] == "\n":
                    states = ["root"]
                    state = self._state("root")
                yield position, Whitespace if text[position] == "\n" else Error, text[position]
                position += 1

    def _state(self, name: str) -> _State:
        if name not in self._states:
            self._states[name] = _State(self._rules[name])
        return self._states[name]


class _State(dict[str, Sequence[Rule]]):
    """The rules of a lexer's state: all of them, and by character those whose matches can begin with it."""

    def __init__(self, rules: Sequence[tuple[Any, Any, Any]]) -> None:
        super().__init__()
        self.rules: Sequence[Rule] = [_typed(*each) for each in rules]
        self._first_sets = [first_set(match.__self__) for match, _, _ in rules]

    def __missing__(self, character: str) -> Sequence[Rule]:
        if character not in ASCII:
            return self.rules
        rules = zip(self.rules, self._first_sets, strict=True)
        self[character] = candidates = [rule for rule, first_set in rules if character in first_set]
        return candidates


def _typed(match: Any, action: Any, transition: Any) -> Rule:
    return match, action if type(action) is _TokenType else None, action, transition


def _move(states: list[str], transition: tuple[str, ...] | int | str) -> None:
    """Enter one or more states, or leave a number of them; the first one is never left."""
    if isinstance(transition, int):
        del states[max(1, len(states) + transition) :]
        return
    for each in transition if isinstance(transition, tuple) else (transition,):
        if each == "#push":
            states.append(states[-1])
        elif each != "#pop":
            states.append(each)
        elif len(states) > 1:
            states.pop()


ASCII: Final = frozenset(map(chr, range(128)))
_SEPARATORS: Final = frozenset("\x1c\x1d\x1e\x1f")
"""White space in expressions for Unicode, and not in those for ASCII alone."""
_DIGITS: Final = frozenset(filter(str.isdigit, ASCII))
_SPACES: Final = frozenset(filter(str.isspace, ASCII))
_WORDS: Final = frozenset(filter(str.isalnum, ASCII)) | {"_"}
_CATEGORIES: Final[Mapping[object, frozenset[str]]] = {
    _constants.CATEGORY_DIGIT: _DIGITS,
    _constants.CATEGORY_NOT_DIGIT: ASCII - _DIGITS,
    _constants.CATEGORY_SPACE: _SPACES,
    _constants.CATEGORY_NOT_SPACE: ASCII - _SPACES | _SEPARATORS,
    _constants.CATEGORY_WORD: _WORDS,
    _constants.CATEGORY_NOT_WORD: ASCII - _WORDS,
}
_ZERO_WIDTH: Final = frozenset({_constants.AT, _constants.ASSERT, _constants.ASSERT_NOT})
_REPEATS: Final = frozenset({_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT})

_FirstSet = tuple[frozenset[str], bool]
"""The characters that a part of an expression can begin with; whether it can be empty, so that the next part counts."""
_ANYTHING: Final[_FirstSet] = (ASCII, False)


def first_set(expression: re.Pattern[str]) -> frozenset[str]:
    """The ASCII characters that a match can begin with, sometimes too many and never too few.

    All of them if a match can be empty or if the expression's form is not known.
    """
    characters, can_be_empty = _of_sequence(
        _parser.parse(expression.pattern, expression.flags), any_case=bool(expression.flags & re.IGNORECASE)
    )
    return ASCII if can_be_empty else characters


def _of_sequence(items: Iterable[tuple[Any, Any]], *, any_case: bool) -> _FirstSet:
    characters: frozenset[str] = frozenset()
    for operation, argument in items:
        of_item, can_be_empty = _of_item(operation, argument, any_case=any_case)
        characters |= of_item
        if not can_be_empty:
            return characters, False
    return characters, True


def _of_item(operation: object, argument: Any, *, any_case: bool) -> _FirstSet:
    if operation in _ZERO_WIDTH:
        return frozenset(), True
    if operation is _constants.SUBPATTERN:
        _, added, removed, inner = argument
        return _of_sequence(inner, any_case=bool((any_case or added & re.IGNORECASE) and not removed & re.IGNORECASE))
    if operation is _constants.BRANCH:
        return reduce(_either, (_of_sequence(each, any_case=any_case) for each in argument[1]))
    if operation in _REPEATS:
        fewest, _, inner = argument
        characters, can_be_empty = _of_sequence(inner, any_case=any_case)
        return characters, can_be_empty or not fewest
    if operation in {_constants.LITERAL, _constants.NOT_LITERAL, _constants.IN}:
        return _of_character(operation, argument, any_case=any_case), False
    return _ANYTHING


def _either(one: _FirstSet, other: _FirstSet) -> _FirstSet:
    return one[0] | other[0], one[1] or other[1]


def _of_character(operation: object, argument: Any, *, any_case: bool) -> frozenset[str]:
    members = argument if operation is _constants.IN else [(_constants.LITERAL, argument)]
    negated = operation is _constants.NOT_LITERAL or members[0][0] is _constants.NEGATE
    if negated and any_case:
        return ASCII  # the characters below may be too many, so the rest may be too few
    characters = frozenset[str]().union(*(_of_member(*each, any_case=any_case) for each in members))
    return ASCII - characters | _SEPARATORS if negated else characters


def _of_member(operation: object, argument: Any, *, any_case: bool) -> frozenset[str]:
    """The characters of one member of a set; the `^` at its beginning is a member too, without any."""
    if operation is _constants.NEGATE:
        return frozenset()
    if operation is _constants.CATEGORY:
        return _CATEGORIES[argument]
    first, last = argument if operation is _constants.RANGE else (argument, argument)
    characters = frozenset(map(chr, range(first, min(last, 127) + 1)))
    if not any_case:
        return characters
    # Some letters beyond ASCII are the other case of one in it.
    in_ascii = last in range(128)
    return characters | set(map(str.lower, characters)) | set(map(str.upper, characters)) if in_ascii else ASCII
