"""Finds the project's own code that a rule runs: the scripts of a command, and the modules of a `python` rule.

Their sources are part of the rule's recipe, and so are the packages that modules can import. Scripts are found in
commands such as `tools/draw.sh`, `python tools/draw.py` and `sh -e tools/draw`, also within a line of shell. Imports
are found without running a module.
"""

from __future__ import annotations

import ast
import os
import posixpath
import re
import shlex
import sys
import sysconfig
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Problem
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.rules import PluginEnvironment
from kahnd.render.files import ProblemError, UnreadableError, read_regular
from kahnd.render.programs.placeholders import PLACEHOLDER

LARGEST_SCRIPT: Final = 64 * 1024 * 1024
"""Bytes; a larger program counts by its size and time."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHELLS: Final = _words("sh bash dash zsh ksh ash fish")
_INTERPRETERS: Final = _SHELLS | _words(
    "python pypy perl ruby node nodejs deno bun tsx lua php tclsh wish julia Rscript guile racket octave"
    " osascript gnuplot"
)
_PREFIXES: Final = _words("if then else do while ! { env exec nice time timeout xvfb-run uv run poetry command")
"""Words before a program: of the shell's grammar, and programs that run the one named after them."""
_SCRIPT_SUFFIXES: Final = _words(
    ".sh .bash .zsh .fish .py .pl .pm .rb .js .mjs .cjs .ts .lua .php .tcl .jl .r .awk .sed .jq .xsl .xslt .mk .gp"
)
_CODE_FLAGS: Final = _words("-c -e -E -r --eval -p")
"""Flags of interpreters that are followed by a program's text."""
_VALUE_FLAGS: Final = _words("-r --require --import --loader --rcfile --init-file")
"""Flags of interpreters that are followed by a file which is not the script."""
_LINE_FLAGS: Final = _words("-S --split-string")
"""Flags of `env` that are followed by a whole command."""
_NUMBER: Final = re.compile(r"[0-9.]+[smhd]?")
"""A priority or a time, as `nice` and `timeout` take it."""
_SEPARATORS: Final = frozenset("();<>|&")
_DIRECTIONS: Final = frozenset("<>")
_LONGEST: Final = 255
_DIGITS: Final = "0123456789."


def script_files(words: Sequence[str], root: Path, *, shell: bool, folder: str = "") -> tuple[str, ...]:
    """The project paths of the scripts, existing or not, each Python script with what it imports.

    A script imports from its own folder, and a module that `python -m` runs from the project's. `folder`: where the
    command runs, if not in the project's folder.
    """
    reader = _CommandReader(root)
    given = _command_words(words, root, shell=shell, folder=folder)
    scripts = [each for word in given for each in reader.take(word)]
    found = dict.fromkeys(each for each in scripts if not each.startswith("../"))
    return tuple(dict.fromkeys(file for each in found for file in _with_imports(each, root, reader.modules)))


def scripts_fingerprint(words: Sequence[str], root: Path, *, shell: bool, folder: str = "") -> str:
    """The hashes of the scripts' present contents."""
    return " ".join(_state(root / each) for each in script_files(words, root, shell=shell, folder=folder))


def _command_words(command: Sequence[str], root: Path, *, shell: bool, folder: str) -> list[str]:
    words = [word.replace("{root}", str(root)) for word in command]
    if shell:
        return [_from_project(word, root, folder) for word in _of_line(words[0])]
    return [*words[:1], *(_from_project(word, root, folder) for word in words[1:])]


def _from_project(word: str, root: Path, folder: str) -> str:
    """A word as it is, or as a project path if it names a file of the folder that the command runs in."""
    inner = posixpath.normpath(f"{folder}/{word}") if folder and not word.startswith("/") else ""
    return inner if inner and (root / inner).is_file() else word


def _of_line(line: str) -> list[str]:
    """The words of a line of shell, and the separators of its commands among them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        return line.split()


class _CommandReader:
    """Reads the words of commands one after another, and knows whether the next is a program or an argument.

    `modules` are those of the scripts that `python -m` runs.
    """

    def __init__(self, root: Path) -> None:
        self.modules: set[str] = set()
        self._root = root
        self._first, self._interpreter, self._before = True, "", ""

    def take(self, word: str) -> list[str]:
        """The scripts that the next word names."""
        before, self._before = self._before, word
        if word and _SEPARATORS.issuperset(word):
            if not _DIRECTIONS.intersection(word):
                self._first, self._interpreter = True, ""
            return []
        if _DIRECTIONS.intersection(before) and _SEPARATORS.issuperset(before):
            return []  # a redirection: read or written, not run
        return self._program(word, before) if self._first else self._argument(word, before)

    def _program(self, word: str, before: str) -> list[str]:
        if before in _LINE_FLAGS:
            return self._line(word)
        name = _name(word)
        is_of_prefix = word.startswith("-") or _NUMBER.fullmatch(word)
        if is_of_prefix or name in _PREFIXES or ("=" in word and "/" not in word.partition("=")[0]):
            return []  # the program comes later
        self._first, self._interpreter = False, name if name in _INTERPRETERS else ""
        return _project_path(word, self._root) if "/" in word else []

    def _argument(self, word: str, before: str) -> list[str]:
        interpreter = self._interpreter
        if not interpreter or word.startswith(("-", "+")):
            return _project_path(word, self._root) if _is_script(word, self._root) else []
        self._interpreter = ""
        if before.startswith("-") and before.endswith("c") and interpreter in _SHELLS:
            return self._line(word)
        if before in _CODE_FLAGS and interpreter not in _SHELLS and not _is_file(self._root / word):
            return []
        if before == "-m":
            return self._module(word)
        if before in _VALUE_FLAGS or (before.startswith(("-", "+")) and not _is_file(self._root / word)):
            self._interpreter = interpreter  # the word is the value of that flag, and the script follows
        return _project_path(word, self._root)

    def _line(self, line: str) -> list[str]:
        self._first, self._interpreter, self._before = True, "", ""
        found = [each for word in _of_line(line) for each in self.take(word)]
        self._first, self._interpreter = False, ""
        return found

    def _module(self, name: str) -> list[str]:
        path = name.replace(".", "/")
        main = f"{path}/__main__.py"
        found = _project_path(main if _is_file(self._root / main) else f"{path}.py", self._root)
        self.modules.update(found)
        return found


def _name(word: str) -> str:
    """A program's name without its folder and version."""
    return posixpath.basename(word).rstrip(_DIGITS) or word


def _is_placeholder(word: str) -> bool:
    return PLACEHOLDER.search(word) is not None or "$" in word


def _project_path(word: str, root: Path) -> list[str]:
    """The word as a project path, if it may be one."""
    if _is_placeholder(word) or "\0" in word or any(len(part) > _LONGEST for part in word.split("/")):
        return []
    path = posixpath.relpath(posixpath.join(root, word), root)
    looks_like_one = "/" in word or "." in word or (root / path).exists()
    return [path] if looks_like_one and not any(map(str.isspace, word)) and not (root / path).is_dir() else []


def _is_script(word: str, root: Path) -> bool:
    """Tell whether an argument names a script, and not a file that the program only reads or writes."""
    if _is_placeholder(word) or word.startswith("-") or "\0" in word:
        return False
    file = root / word
    try:
        return file.is_file() and (file.suffix.lower() in _SCRIPT_SUFFIXES or os.access(file, os.X_OK))
    except OSError:
        return False


def _with_imports(script: str, root: Path, modules: Container[str]) -> Iterable[str]:
    if not script.endswith(".py"):
        return (script,)
    if script in modules:
        return (*_packages(script, root), *module_files(root, script))
    folder, name = posixpath.split(script)
    return (posixpath.join(folder, each) for each in module_files(root / folder, name))


def _packages(module: str, root: Path) -> Iterator[str]:
    """The files of the packages that contain a module, which Python runs before it."""
    parts = module.split("/")[:-1]
    files = ("/".join((*parts[:length], "__init__.py")) for length in range(1, len(parts) + 1))
    return (file for file in files if (root / file).is_file())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _state(file: Path) -> str:
    try:
        found = file.stat()
        if found.st_size > LARGEST_SCRIPT:
            return f"{found.st_size}:{found.st_mtime_ns}"
        return hash_bytes(file.read_bytes()) if file.is_file() else "absent"
    except (OSError, ValueError):
        return "absent"  # each rendering says so


LARGEST_MODULE: Final = 1 << 20
"""Larger modules, in bytes, are taken for data without imports."""


def module_files(root: Path, file: str) -> tuple[str, ...]:
    """The project paths of a module and of all modules of the project that it imports, also indirectly."""
    found: dict[str, None] = {}
    rest = [file]
    while rest:
        file = rest.pop()
        if file not in found:
            found[file] = None
            rest.extend(_files(root, _imported(root, file)))
    return tuple(found)


def _imported(root: Path, file: str) -> Iterator[str]:
    """The imports of a file, as paths without a suffix."""
    for node in ast.walk(_tree(root, file)):
        if isinstance(node, ast.Import):
            yield from (each.name.replace(".", "/") for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (posixpath.join(_source(node, file), each.name) for each in node.names)


def _tree(root: Path, file: str) -> ast.AST:
    """The syntax of a file; that of an empty one if it does not exist or is no Python.

    Python's parser raises MemoryError for very deeply nested expressions.
    """
    try:
        content = read_regular(root / file, file)
        return ast.parse(content if len(content) <= LARGEST_MODULE else b"")
    except (OSError, UnreadableError, SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def _source(node: ast.ImportFrom, file: str) -> str:
    """The path of the module or package that names are imported from."""
    around = file.split("/")[: -node.level] if node.level else []
    return "/".join([*around, *(node.module or "").split(".")]).rstrip("/")


def _files(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """The existing files of modules at these paths, and of the packages that contain them."""
    for path in paths:
        parts = path.split("/")
        for each in ("/".join(parts[:length]) for length in range(1, len(parts) + 1)):
            yield from (file for file in (f"{each}.py", f"{each}/__init__.py") if (root / file).is_file())


PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_DYNAMIC: Final = frozenset({"importlib", "pkgutil", "runpy", "imp"})
"""Modules of the standard library that import others by names that are not in the source."""
_INSTALLED: Final = (".dist-info", ".egg-info")


def imports_packages(root: Path, files: Iterable[str]) -> bool:
    """Tell whether modules of the project import more than each other, the standard library and kahnd."""
    own = sys.stdlib_module_names - _DYNAMIC
    names = {name for file in files for name in _absolute_names(root, file)}
    return any(
        name not in own and name != "kahnd" and not _is_file(root / f"{name}.py") and not (root / name).is_dir()
        for name in names
    )


def _absolute_names(root: Path, file: str) -> Iterator[str]:
    for node in ast.walk(_tree(root, file)):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Name) and node.id == "__import__":
            yield "importlib"


def package_folders(root: Path, environment: PluginEnvironment | None) -> tuple[Path, ...]:
    """The folders that packages are installed in, present or not: kahnd's own, and the environment's."""
    own = Path(sysconfig.get_path("purelib"))
    return (own, root / environment.path / "lib" / f"python{PYTHON}" / "site-packages") if environment else (own,)


def packages_fingerprint(root: Path, environment: PluginEnvironment | None) -> str:
    """The names and versions of all installed packages.

    All, since no import tells what a package imports in turn. Pip renames these folders with each change.
    """
    folders = (_names_in(folder) for folder in package_folders(root, environment))
    installed = (sorted(name for name in names if name.endswith(_INSTALLED)) for names in folders)
    return f"{PYTHON} {' | '.join(' '.join(each) for each in installed)}"


def environment_folder(root: Path, environment: PluginEnvironment) -> Path:
    """The folder of the environment's packages. Raises ProblemError if it is not there, or of another Python."""
    *_, folder = package_folders(root, environment)
    if folder.is_dir():
        return folder
    above = root / environment.path
    others = [each.removeprefix("python") for each in _names_in(above / "lib") if each.startswith("python3")]
    if others:
        message = f"the environment {environment.path} is for Python {', '.join(others)}, and kahnd runs on {PYTHON}"
    elif above.is_dir():
        message = f"{environment.path} is no Python environment"
    else:
        message = f"the environment {environment.path} is not there"
    remedy = f"make it by `python{PYTHON} -m venv {shlex.quote(environment.path)}`, and install the packages into it"
    raise ProblemError(Problem(message, CONFIG_FILE, environment.line, remedy))


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError:
        return []


def modules_fingerprint(root: Path, environment: PluginEnvironment | None, modules: Iterable[str]) -> str:
    """The hashes of modules and of all that they import from the project; and the packages, if they import any."""
    files = [each for module in modules for each in module_files(root, module)]
    hashes = " ".join(_state(root / each) for each in files)
    return f"{hashes} {packages_fingerprint(root, environment)}" if imports_packages(root, files) else hashes
