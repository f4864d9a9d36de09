"""What a shell offers for a document or an output that was begun to be typed: what is there, a folder at a time.

From the file system, which is the truth and is asked in a millisecond however many documents there are; so this needs
no daemon, and imports nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from kahnd.config.places import CONFIG_FILE, STATE_FOLDER, find_root
from kahnd.errors import UsageError


def documents(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Paths that go on from what was typed: relative to the current folder, or else to the project."""
    start = Path(context.find_root().params.get("folder") or ".").resolve()
    try:
        root = find_root(start)
    except UsageError:
        return []
    places = [root / each for each in _folders(root)]
    return next(filter(None, (offered(base, typed, places) for base in dict.fromkeys((start, root)))), [])


def offered(base: Path, typed: str, places: list[Path]) -> list[str]:
    """Entries of one folder whose names go on from what was typed, where they are in a place or lead to one.

    A single folder is looked into: a shell ends a word that can only be completed in one way.
    """
    found = sorted(_entries(base, typed, places))
    while len(found) == 1 and found[0].endswith("/"):
        found = sorted(_entries(base, found[0], places))
    return found


def _entries(base: Path, typed: str, places: list[Path]) -> Iterator[str]:
    head, slash, begun = typed.rpartition("/")
    folder = Path(os.path.normpath(base / f"{head}{slash}"))
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        shown = entry.name.startswith(begun) and (begun or not entry.name.startswith("."))
        fit = shown and entry.name.isprintable()  # shells are told names line by line
        if fit and entry.name != STATE_FOLDER and _matters(folder / entry.name, places):
            yield _as_path(f"{head}{slash}{entry.name}{'/' if entry.is_dir() else ''}")


def _as_path(name: str) -> str:
    """One that begins like an option, or like somebody's home folder, is to be neither."""
    return f"./{name}" if name.startswith(("-", "~")) else name


def _matters(path: Path, places: list[Path]) -> bool:
    return any(path.is_relative_to(place) or (place.is_relative_to(path) and path.is_dir()) for place in places)


def _folders(root: Path) -> list[str]:
    """Where documents and outputs are; everywhere, where that can't be told for now."""
    try:
        import tomllib  # noqa: PLC0415 (only who completes reads it)

        project = tomllib.loads((root / CONFIG_FILE).read_text(encoding="utf-8-sig"))["project"]
        return [*map(str, project["sources"]), str(project.get("output", "site"))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ["."]
