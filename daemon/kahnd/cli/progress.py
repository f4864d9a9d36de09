"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from kahnd.cli.terminal import tame
from kahnd.service.client import Progress, Report


@contextmanager
def shown() -> Iterator[Report]:
    """What a build tells its progress to, for as long as the bar stands."""
    if not sys.stderr.isatty():
        yield _nothing
        return
    from rich.console import Console  # noqa: PLC0415 (slow to import, and seldom needed)
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    words = TextColumn("{task.description}", markup=False)
    with Bar(BarColumn(), MofNCompleteColumn(), words, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda told: bar.update(task, completed=told.done, total=told.total, description=tame(told.document))


def _nothing(_progress: Progress) -> None:
    """Nobody looks."""
