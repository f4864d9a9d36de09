"""The project's own scripts that a command runs: they decide its result as a plug-in's source does.

`tools/draw.sh`, `python tools/draw.py`, `sh -e tools/draw`, and the same within a line of shell.
"""

from __future__ import annotations

import os
import posixpath
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from kahnd.core.digest import of_bytes
from kahnd.render.modules import files_of
from kahnd.render.parameters import CommandParameters
from kahnd.render.shell import PLACEHOLDER

LARGEST: Final = 64 * 1024 * 1024
"""Bytes; a larger program counts by its size and time."""
_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish"})
_RUNNERS: Final = frozenset(
    {
        "if",
        "then",
        "else",
        "do",
        "while",
        "!",
        "{",
        "env",
        "exec",
        "nice",
        "time",
        "timeout",
        "xvfb-run",
        "uv",
        "run",
        "poetry",
        "command",
    }
)
_INTERPRETERS: Final = _SHELLS | {
    *("python", "pypy", "perl", "ruby", "node", "nodejs", "deno", "bun", "tsx", "lua", "php", "tclsh", "wish", "julia"),
    *("Rscript", "guile", "racket", "octave", "osascript", "gnuplot"),
}
_SUFFIXES: Final = frozenset(
    {
        *(".sh", ".bash", ".zsh", ".fish", ".py", ".pl", ".pm", ".rb", ".js", ".mjs", ".cjs", ".ts", ".lua", ".php"),
        *(".tcl", ".jl", ".r", ".awk", ".sed", ".jq", ".xsl", ".xslt", ".mk", ".gp"),
    }
)
_SEPARATORS: Final = frozenset("();<>|&")
_DIRECTIONS: Final = frozenset("<>")
_CODE: Final = frozenset({"-c", "-e", "-E", "-r", "--eval", "-p"})
"""After these stands a program's text."""
_LONGEST: Final = 255
_DIGITS: Final = "0123456789."


def scripts(parameters: CommandParameters, root: Path) -> tuple[str, ...]:
    """Project paths, there or not; with each Python script, what it imports from beside it."""
    words = _words(parameters, root)
    found = dict.fromkeys(each for each in _named(words, root) if not each.startswith("../"))
    return tuple(dict.fromkeys(file for script in found for file in _with_imports(script, root)))


def fingerprint(parameters: CommandParameters, root: Path) -> str:
    """What the scripts are now."""
    return " ".join(_state(root / each) for each in scripts(parameters, root))


def _words(parameters: CommandParameters, root: Path) -> list[str]:
    words = [word.replace("{root}", str(root)) for word in parameters.words]
    return _of_line(words[0]) if parameters.shell else words


def _of_line(line: str) -> list[str]:
    """The words of a line of shell, with what separates its commands among them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return line.split()


def _named(words: Iterable[str], root: Path) -> Iterator[str]:
    """The scripts among the words of one or more commands."""
    reader = _Reader(root)
    return (each for word in words for each in reader.take(word))


class _Reader:
    """Takes the words of commands one after another; knows what the next may be."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._first, self._interpreter, self._before = True, "", ""

    def take(self, word: str) -> list[str]:
        """The scripts that this word names."""
        before, self._before = self._before, word
        if word and _SEPARATORS.issuperset(word):
            if not _DIRECTIONS.intersection(word):
                self._first, self._interpreter = True, ""
            return []
        if _DIRECTIONS.intersection(before) and _SEPARATORS.issuperset(before):
            return []  # read or written, and not run
        return self._program(word) if self._first else self._argument(word, before)

    def _program(self, word: str) -> list[str]:
        name = _name(word)
        if name in _RUNNERS or ("=" in word and "/" not in word.partition("=")[0]):
            return []  # the program comes later: this says how it is run
        self._first, self._interpreter = False, name if name in _INTERPRETERS else ""
        return _project_path(word, self._root) if "/" in word else []

    def _argument(self, word: str, before: str) -> list[str]:
        interpreter = self._interpreter
        if not interpreter or word.startswith("-"):
            return _project_path(word, self._root) if _is_script(word, self._root) else []
        self._interpreter = ""
        if before.startswith("-") and before.endswith("c") and interpreter in _SHELLS:
            return list(_named(_of_line(word), self._root))
        if before in _CODE and interpreter not in _SHELLS:
            return []
        if before == "-m":
            return _project_path(f"{word.replace('.', '/')}.py", self._root)
        return _project_path(word, self._root)


def _name(word: str) -> str:
    """A program's name, without its folder and version."""
    return posixpath.basename(word).rstrip(_DIGITS) or word


def _is_placeholder(word: str) -> bool:
    return PLACEHOLDER.search(word) is not None or "$" in word


def _project_path(word: str, root: Path) -> list[str]:
    """The word as a path of the project, where it may be one."""
    if _is_placeholder(word) or "\0" in word or any(len(part) > _LONGEST for part in word.split("/")):
        return []
    path = posixpath.relpath(posixpath.join(root, word), root)
    looks_like_one = "/" in word or "." in word or (root / path).exists()
    return [path] if looks_like_one and not any(map(str.isspace, word)) and not (root / path).is_dir() else []


def _is_script(word: str, root: Path) -> bool:
    """Whether a word further on names one: what is only read or written by a program is none."""
    if _is_placeholder(word) or word.startswith("-") or "\0" in word:
        return False
    file = root / word
    try:
        return file.is_file() and (file.suffix.lower() in _SUFFIXES or os.access(file, os.X_OK))
    except OSError:
        return False


def _with_imports(script: str, root: Path) -> Iterable[str]:
    if not script.endswith(".py"):
        return (script,)
    folder, name = posixpath.split(script)
    return (posixpath.join(folder, each) for each in files_of(root / folder, name))


def _state(file: Path) -> str:
    try:
        found = file.stat()
        if found.st_size > LARGEST:
            return f"{found.st_size}:{found.st_mtime_ns}"
        return of_bytes(file.read_bytes()) if file.is_file() else "absent"
    except (OSError, ValueError):
        return "absent"  # each rendering says so
