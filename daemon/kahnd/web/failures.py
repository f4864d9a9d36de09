"""Describes why a page could not be rendered: what the overlay shows."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

import anyio
import anyio.to_thread

from kahnd.core.blame import Failure
from kahnd.platform.owned_files import open_below
from kahnd.web.context import WebContext
from kahnd.web.messages import PageProblem, SourceLine

LINES_AROUND: Final = 4
"""The lines before and after the failing one that are shown."""
MAX_LINE: Final = 400
"""The characters of a line that are shown."""
MAX_READ: Final = 4 << 20
"""The bytes of a file that are read; lines beyond are not shown."""
MAX_TEXT: Final = 20_000
"""The characters of a message, and of a program's output, that are shown."""
MAX_CHAIN: Final = 30
_THREADS: Final = 2
_FIELD: Final = re.compile(r"\{(path|line|column)\}")
_AFTER_SLASH: Final = re.compile(r"(?<!/)/\{path\}")
"""A place for a path that has the path's first slash already, unlike that in `file://{path}`."""


class PageProblems:
    """Describes failures to browsers, with lines of the project's sources."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._limiter = anyio.CapacityLimiter(_THREADS)

    async def describe(self, failure: Failure) -> PageProblem:
        """Describes a failure."""
        problem, root = failure.problem, self._context.view.configured().root
        excerpt: tuple[SourceLine, ...] = ()
        if problem.line:
            excerpt = await anyio.to_thread.run_sync(
                lines_around, root, problem.file, problem.line, limiter=self._limiter
            )
        return PageProblem(
            document=failure.document,
            status="FAILED" if failure.culprit == failure.document else "BLOCKED",
            culprit=failure.culprit,
            message=problem.message[:MAX_TEXT],
            file=problem.file,
            line=problem.line,
            column=problem.column,
            remedy=problem.remedy[:MAX_TEXT],
            detail=problem.detail[-MAX_TEXT:],
            excerpt=excerpt,
            chain=failure.chain[:MAX_CHAIN],
            editor=editor_link(self._context.editor, root, problem.file, (problem.line, problem.column)),
        )


def lines_around(root: Path, file: str, line: int) -> tuple[SourceLine, ...]:
    """Returns the lines of a project's file around one; none of a file elsewhere, by way of links too."""
    if not is_below(file):
        return ()
    try:
        with os.fdopen(open_below(root, file), "rb") as source:
            text = source.read(MAX_READ).decode(errors="replace")
    except OSError:  # it is gone, or no file
        return ()
    first = max(line - LINES_AROUND, 1)
    shown = islice(text.splitlines(), first - 1, line + LINES_AROUND)
    return tuple(SourceLine(number, each[:MAX_LINE]) for number, each in enumerate(shown, first))


def editor_link(template: str, root: Path, file: str, place: tuple[int, int]) -> str:
    """Returns the address that opens a project's file in an editor; empty if there is none.

    `template`: as the configuration has it, which has checked its scheme.
    """
    if not template or not is_below(file):
        return ""
    path = str(root / file)
    values: Mapping[str, str] = {
        "path": quote(path.removeprefix("/") if _AFTER_SLASH.search(template) else path),
        "line": str(place[0] or 1),
        "column": str(place[1] or 1),
    }
    return _FIELD.sub(lambda found: values[found[1]], template)


def is_below(file: str) -> bool:
    """Tells whether a path is one of the project's, as it is written."""
    path = PurePosixPath(file)
    return bool(file) and not path.is_absolute() and ".." not in path.parts and "\0" not in file
