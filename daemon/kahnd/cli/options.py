"""Options and arguments that commands share, completion of paths, and the examples in helps.

Completion reads the file system, one folder at a time: it is always current, takes a millisecond in any project, and
needs no daemon.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from kahnd.cli.context import find_root
from kahnd.core.project_files import CONFIG_FILE, STATE_FOLDER
from kahnd.errors import UsageError

_NO_WRAP: Final = "\b"
"""Keeps click from wrapping the lines below."""
F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Adds `--json`."""
    return click.option("--json", "in_json", is_flag=True, help="Print JSON.")(command)


def form_options(command: F) -> F:
    """Adds `--json` and `--problems`, of which the last one counts: `form` is "json", "problems" or None."""
    words = "Print problems as FILE:LINE:COLUMN: SEVERITY: MESSAGE, for editors."
    as_problems = click.option("--problems", "form", flag_value="problems", help=words)
    return click.option("--json", "form", flag_value="json", help="Print JSON.")(as_problems(command))


def targets_argument(command: F) -> F:
    """Adds `[TARGET]…`."""
    return click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=documents)(command)


def examples(*calls: tuple[str, str]) -> str:
    """Returns the end of a help: example calls, each with its effect."""
    width = max(len(call) for call, _ in calls)
    return "\n".join([_NO_WRAP, "Examples:", *(f"  {call:<{width}}  {what}" for call, what in calls)])


def documents(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Completes a path relative to the current folder, or else to the project."""
    start = Path(context.find_root().params.get("folder") or ".").resolve()
    try:
        root = find_root(start)
    except UsageError:
        return []
    folders = [root / each for each in _folders(root)]
    return next(filter(None, (matching_paths(base, typed, folders) for base in dict.fromkeys((start, root)))), [])


def matching_paths(base: Path, typed: str, folders: list[Path]) -> list[str]:
    """Returns the entries of one folder that begin with the typed text and are in one of `folders`, or lead to one.

    If the only match is a folder, its entries are returned, because shells end a word with a single completion.
    """
    found = sorted(_entries(base, typed, folders))
    while len(found) == 1 and found[0].endswith("/"):
        found = sorted(_entries(base, found[0], folders))
    return found


def _entries(base: Path, typed: str, folders: list[Path]) -> Iterator[str]:
    head, slash, begun = typed.rpartition("/")
    folder = Path(os.path.normpath(base / f"{head}{slash}"))
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        shown = entry.name.startswith(begun) and (begun or not entry.name.startswith("."))
        fit = shown and entry.name.isprintable()  # shells read names line by line
        if fit and entry.name != STATE_FOLDER and _is_relevant(folder / entry.name, folders):
            yield _as_path(f"{head}{slash}{entry.name}{'/' if entry.is_dir() else ''}")


def _as_path(name: str) -> str:
    """Prefixes `./` to a name that looks like an option or a home folder."""
    return f"./{name}" if name.startswith(("-", "~")) else name


def _is_relevant(path: Path, folders: list[Path]) -> bool:
    return any(path.is_relative_to(each) or (each.is_relative_to(path) and path.is_dir()) for each in folders)


def _folders(root: Path) -> list[str]:
    """Returns the source and output folders, or the whole project if kahnd.toml cannot be read."""
    try:
        import tomllib  # noqa: PLC0415 (only completion reads it)

        project = tomllib.loads((root / CONFIG_FILE).read_text(encoding="utf-8-sig"))["project"]
        return [*map(str, project["sources"]), str(project.get("output", "site"))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ["."]
