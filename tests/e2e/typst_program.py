"""The command `typst`, where no other is installed: Typst's compiler from PyPI behind the options that the recipe uses.

The compiler does not tell which files it read. So it works on a copy of the project, in which nobody else opens a file,
and the kernel tells.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import typst
from inotify_simple import INotify, flags

_PLACE: Final = re.compile(r"┌─ (\S+:\d+:\d+)")


def install(folder: Path) -> Mapping[str, str]:
    """Puts the command into a folder, and returns the environment in which it is found."""
    folder.mkdir(exist_ok=True)
    command = folder / "typst"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} "$@"\n')
    command.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def main(words: Sequence[str]) -> int:
    given = _parser().parse_args(words)
    root, source, output, deps = (Path(each).resolve() for each in (given.root, given.source, given.output, given.deps))
    project = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "project"
        shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".kahnd"))
        watched = _watch(copy)
        os.chdir(copy)  # messages name files relative to it
        try:
            content = typst.compile(
                source.relative_to(root),
                root=copy,
                format=given.format,
                ignore_system_fonts=given.ignore_system_fonts,
                timestamp=given.creation_timestamp,
            )
        except typst.TypstError as error:
            place = _PLACE.search(error.diagnostic)
            sys.stderr.write(f"{f'{place[1]}: ' if place else ''}error: {error.message}\n")
            return 1
        read = sorted(set(_opened(*watched)))
    assert isinstance(content, bytes)
    output.write_bytes(content)
    names = (os.path.relpath(root / each, project).replace(" ", "\\ ") for each in read)
    deps.write_text(f"{given.output}: {' '.join(names)}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("typst")
    parser.add_argument("compile", choices=["compile"])
    parser.add_argument("--root", required=True)
    parser.add_argument("--format", choices=["pdf"], required=True)
    parser.add_argument("--diagnostic-format", choices=["short"], required=True)
    parser.add_argument("--ignore-system-fonts", action="store_true")
    parser.add_argument("--creation-timestamp", type=int, required=True)
    parser.add_argument("--deps", required=True)
    parser.add_argument("--deps-format", choices=["make"], required=True)
    parser.add_argument("source")
    parser.add_argument("output")
    return parser


def _watch(top: Path) -> tuple[INotify, Mapping[int, str]]:
    """Has the kernel tell of files that are opened in a folder and those below: by watch, the folder's path in it."""
    inotify = INotify(nonblocking=True)
    folders = [top, *(each for each in top.rglob("*") if each.is_dir())]
    return inotify, {inotify.add_watch(each, flags.OPEN): str(each.relative_to(top)) for each in folders}


def _opened(inotify: INotify, folders: Mapping[int, str]) -> Iterator[str]:
    for event in inotify.read(timeout=0):
        if event.name and not event.mask & flags.ISDIR:
            yield os.path.normpath(f"{folders[event.wd]}/{event.name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
