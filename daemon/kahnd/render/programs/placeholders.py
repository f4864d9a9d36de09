"""Placeholders in commands, and the positions in lines of shell where quoting their values is safe.

A quoted value is one word only where nothing else is quoted. To know that for every line would take the whole grammar
of a shell, so a position that is not plainly safe is refused when the rule is read. `name={stem}; … "$name"` means the
same and is safe.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Final

PLACEHOLDER: Final = re.compile(r"(?<!\$)\{([A-Za-z_]\w*)\}")
"""A placeholder in a command; `${NAME}` is the shell's."""
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
_SPECIAL_OPERAND: Final = re.compile(r"[-@+~]|[^/]*[=:]")
_PIECE: Final = re.compile(
    r"\\(?=\{[A-Za-z_]\w*\})|\\.|\$\(|\$\{|\$['\"]|<<|['\"`()}#\n]|" + PLACEHOLDER.pattern, re.DOTALL
)
_WORD_BEGINS: Final = frozenset(" \t\n;&|()")
_BEFORE: Final = _WORD_BEGINS | frozenset("}<>\"'`")
_NAMES: Final = {"'": "single quotes", '"': "double quotes", "`": "backquotes", "{": "${…}"}
_CLOSING: Final = frozenset({('"', '"'), ("`", "`"), (")", "("), ("}", "{")})


def operand(path: str) -> str:
    """The path in a form that no program takes for an option, an assignment, a URL or a file of arguments."""
    return f"./{path}" if _SPECIAL_OPERAND.match(path) else path


def filled_line(line: str, values: dict[str, tuple[str, ...]]) -> str:
    """Fill a line of shell, with each value quoted as a word."""
    return _fill(line, lambda name: " ".join(map(shlex.quote, values[name])))


def filled_word(word: str, values: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Fill one word of the command; `{deps}` or `{outputs}` alone becomes one argument for each."""
    return (
        values[word[1:-1]] if word in {"{deps}", "{outputs}"} else (_fill(word, lambda name: " ".join(values[name])),)
    )


def _fill(word: str, value: Callable[[str], str]) -> str:
    return PLACEHOLDER.sub(lambda match: value(match[1]), word)


def misplaced(line: str) -> Iterator[tuple[str, str]]:
    """The placeholders of a line of shell at positions where quoting is not safe, each with what is around it."""
    lexer = _Lexer(line)
    for match in _PIECE.finditer(line):
        place = lexer.take(match)
        if match[1] and place:
            yield match[1], place


def begins_word(line: str, name: str) -> bool:
    """Tell whether a placeholder is at the beginning of a word, or after other placeholders only."""
    places = (match.start() for match in PLACEHOLDER.finditer(line) if match[1] == name)
    return any(at == 0 or line[at - 1] in _BEFORE for at in places)


def shell_lines(words: Sequence[str]) -> frozenset[int]:
    """The indexes of the words of a command that are lines of shell, after `sh -c`."""
    return frozenset(
        index + 2
        for index, word in enumerate(words[:-2])
        if posixpath.basename(word) in _SHELLS and _SCRIPT_FLAG.fullmatch(words[index + 1])
    )


def embedded_in_code(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The placeholders in words that a program runs as code of its own language, each with the program."""
    for program, flag, word in zip(words, words[1:], words[2:], strict=False):
        name = _VERSION.sub("", posixpath.basename(program))
        if flag in _CODE_FLAGS.get(name, ()):
            yield from ((placeholder, name) for placeholder in PLACEHOLDER.findall(word))


class _Lexer:
    """Follows quotes, brackets and comments in a line of shell; if unsure, it reports more as open."""

    def __init__(self, line: str) -> None:
        self._line = line
        self._open: list[str] = []
        self._comment = self._escaped = self._document = False
        self._rest = ""
        self._has_cases = bool(re.search(r"\bcase\b", line))

    def take(self, match: re.Match[str]) -> str:
        """Read the next piece; for a placeholder, return what is around it, or nothing at a safe position."""
        piece, top = match[0], self._open[-1] if self._open else ""
        if match[1]:
            return self._surroundings()
        if top == "'":
            self._open = self._open[: -1 if piece.endswith("'") else None]
        elif piece == "\n":
            self._end_line()
        elif piece == "#" and top != '"' and self._begins_word(match.start()):
            self._comment = True
        elif not self._comment:
            self._nest(piece, top)
        return ""

    def _surroundings(self) -> str:
        escaped, self._escaped = self._escaped, False
        quoted = next((_NAMES[each] for each in self._open if each != "("), "")
        return "a comment" if self._comment else self._rest or quoted or ("a backslash's place" if escaped else "")

    def _end_line(self) -> None:
        """End a comment, or begin a here-document, whose end is not looked for."""
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
            self._rest = f"a line with {piece}"  # shells differ in reading it
        elif piece == "<<":
            self._document |= top != '"'
        elif piece in {"$(", "${"}:
            self._open.append(piece[1])
            if piece == "$(" and self._has_cases:
                self._rest = "a line with `case` within $(…)"  # the brackets of `case` are not in pairs
        elif (piece, top) in _CLOSING:
            self._open.pop()
        elif piece in {'"', "`"} or (piece == "'" and top != '"'):
            self._open.append(piece)
