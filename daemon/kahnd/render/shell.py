"""Placeholders in lines of shell: where what they stand for, quoted, is one word and nothing more.

Quoting is of use only where nothing is quoted yet. Telling that for every line would take a shell's whole grammar, so
whatever is not plain is refused when the rule is read: `name={stem}; … "$name"` says the same and is plain.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import Final

PLACEHOLDER: Final = re.compile(r"(?<!\$)\{([A-Za-z_]\w*)\}")
"""A placeholder in a command; a shell's `${NAME}` is none."""
_SHELLS: Final = frozenset({"sh", "ash", "bash", "dash", "fish", "ksh", "mksh", "zsh"})
_SCRIPT_FLAG: Final = re.compile(r"-[A-Za-z]*c")
_CODE_FLAGS: Final = {
    "lua": {"-e"},
    "node": {"-e", "-p", "-pe", "--eval", "--print"},
    "perl": {"-e", "-E", "-ne", "-pe", "-ane", "-lne", "-lpe"},
    "php": {"-r"},
    "python": {"-c"},
    "Rscript": {"-e"},
    "ruby": {"-e", "-ne", "-pe"},
}
_VERSION: Final = re.compile(r"[\d.]+$")
_PIECE: Final = re.compile(
    r"\\(?=\{[A-Za-z_]\w*\})|\\.|\$\(|\$\{|\$['\"]|<<|['\"`()}#\n]|" + PLACEHOLDER.pattern, re.DOTALL
)
_WORD_BEGINS: Final = frozenset(" \t\n;&|()")
_BEFORE: Final = _WORD_BEGINS | frozenset("}<>\"'`")
_NAMES: Final = {"'": "single quotes", '"': "double quotes", "`": "backquotes", "{": "${…}"}
_CLOSING: Final = frozenset({('"', '"'), ("`", "`"), (")", "("), ("}", "{")})


def misplaced(line: str) -> Iterator[tuple[str, str]]:
    """The placeholders of a line of shell that stand where quoting is of no use, each with what it stands in."""
    lexer = _Lexer(line)
    for match in _PIECE.finditer(line):
        place = lexer.take(match)
        if match[1] and place:
            yield match[1], place


def begins_word(line: str, name: str) -> bool:
    """Whether a placeholder stands at the beginning of a word, or behind nothing but others."""
    places = (match.start() for match in PLACEHOLDER.finditer(line) if match[1] == name)
    return any(at == 0 or line[at - 1] in _BEFORE for at in places)


def scripts(words: Sequence[str]) -> frozenset[int]:
    """Which words of a command are lines of shell: what follows `sh -c`."""
    return frozenset(
        index + 2
        for index, word in enumerate(words[:-2])
        if posixpath.basename(word) in _SHELLS and _SCRIPT_FLAG.fullmatch(words[index + 1])
    )


def code(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The placeholders within words that a program runs as code of its own language, each with the program."""
    for program, flag, word in zip(words, words[1:], words[2:], strict=False):
        name = _VERSION.sub("", posixpath.basename(program))
        if flag in _CODE_FLAGS.get(name, ()):
            yield from ((placeholder, name) for placeholder in PLACEHOLDER.findall(word))


class _Lexer:
    """What is open at a place in a line of shell; it errs on the side of more."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._open: list[str] = []
        self._comment = self._escaped = self._document = False
        self._rest = ""
        self._has_cases = bool(re.search(r"\bcase\b", line))

    def take(self, match: re.Match[str]) -> str:
        """One more piece; where it is a placeholder, what it stands in: nothing where it stands free."""
        piece, top = match[0], self._open[-1] if self._open else ""
        if match[1]:
            return self._place()
        if top == "'":
            self._open = self._open[: -1 if piece.endswith("'") else None]
        elif piece == "\n":
            self._end_line()
        elif piece == "#" and top != '"' and self._begins_word(match.start()):
            self._comment = True
        elif not self._comment:
            self._nest(piece, top)
        return ""

    def _place(self) -> str:
        escaped, self._escaped = self._escaped, False
        quoted = next((_NAMES[each] for each in self._open if each != "("), "")
        return "a comment" if self._comment else self._rest or quoted or ("a backslash's place" if escaped else "")

    def _end_line(self) -> None:
        """A comment ends; a here-document begins, and its end is not looked for."""
        self._comment = False
        if self._document:
            self._rest = "a here-document"

    def _begins_word(self, at: int) -> bool:
        return at == 0 or self._line[at - 1] in _WORD_BEGINS

    def _nest(self, piece: str, top: str) -> None:
        if piece.startswith("\\"):
            self._escaped = piece == "\\"
        elif piece in {"$'", '$"'} and top == '"':
            self._nest(piece[1], top)
        elif piece in {"$'", '$"'}:
            self._rest = f"a line with {piece}"  # which not every shell reads in the same way
        elif piece == "<<":
            self._document |= top != '"'
        elif piece in {"$(", "${"}:
            self._open.append(piece[1])
            if piece == "$(" and self._has_cases:
                self._rest = "a line with `case` within $(…)"  # whose brackets are not in pairs
        elif (piece, top) in _CLOSING:
            self._open.pop()
        elif piece in {'"', "`"} or (piece == "'" and top != '"'):
            self._open.append(piece)
