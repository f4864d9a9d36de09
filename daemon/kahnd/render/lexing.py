"""Pygments' lexers, with the same tokens in a fifth of the time.

A lexer of theirs tries the regular expressions of its state one after another, some twenty for each token. Most can't
match where they are tried, and their first character tells: so those that may begin with it are tried alone, in the
same order. What an expression can begin with is read from its parsed form; where that is not plain it is tried always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pygments.lexer import Lexer, RegexLexer
from pygments.token import Error, Whitespace, _TokenType

from kahnd.render.beginnings import ASCII, beginning_of

Token = tuple[int, _TokenType, str]
Rule = tuple[Callable[[str, int], re.Match[str] | None], _TokenType | None, Any, Any]
"""An expression's match; the type of the token that it is, or else what makes tokens of it; the state after it."""


def quickened(lexer: Lexer) -> Lexer:
    """The lexer; one whose class has a loop of its own stays as it is."""
    if isinstance(lexer, RegexLexer) and type(lexer).get_tokens_unprocessed is RegexLexer.get_tokens_unprocessed:
        lexer.get_tokens_unprocessed = _Loop(lexer)  # type: ignore[method-assign]
    return lexer


class _Loop:
    """`RegexLexer.get_tokens_unprocessed`, with fewer expressions to try."""

    def __init__(self, lexer: RegexLexer) -> None:
        self._lexer = lexer
        # What the lexer's own loop goes by.
        self._rules: Mapping[str, Sequence[Any]] = lexer._tokens  # type: ignore[attr-defined]  # noqa: SLF001
        self._states: dict[str, _State] = {}

    def __call__(self, text: str, stack: Iterable[str] = ("root",)) -> Iterator[Token]:
        """The text's tokens."""
        position, end = 0, len(text)
        states = list(stack)
        state = self._state(states[-1])
        while True:
            for match, kind, action, after in state[text[position]] if position < end else state.rules:
                if found := match(text, position):
                    if kind is not None:
                        yield position, kind, found[0]
                    elif action is not None:
                        yield from action(self._lexer, found)
                    position = found.end()
                    if after is not None:
                        _move(states, after)
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
    """A state's rules, all of them and, by the character that stands where they are tried, those worth trying."""

    def __init__(self, rules: Sequence[tuple[Any, Any, Any]]) -> None:
        super().__init__()
        self.rules: Sequence[Rule] = [_typed(*each) for each in rules]
        self._beginnings = [beginning_of(match.__self__) for match, _, _ in rules]

    def __missing__(self, first: str) -> Sequence[Rule]:
        if first not in ASCII:
            return self.rules
        rules = zip(self.rules, self._beginnings, strict=True)
        self[first] = found = [rule for rule, beginning in rules if first in beginning]
        return found


def _typed(match: Any, action: Any, after: Any) -> Rule:
    return match, action if type(action) is _TokenType else None, action, after


def _move(states: list[str], after: tuple[str, ...] | int | str) -> None:
    """On to the state after a match: to one or more, or back by a number of states, never out of the first."""
    if isinstance(after, int):
        del states[max(1, len(states) + after) :]
        return
    for each in after if isinstance(after, tuple) else (after,):
        if each == "#push":
            states.append(states[-1])
        elif each != "#pop":
            states.append(each)
        elif len(states) > 1:
            states.pop()
