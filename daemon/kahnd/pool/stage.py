"""The folder that a run has for itself: made, or emptied, by whichever worker is to use it."""

from __future__ import annotations

import shutil
from pathlib import Path

from kahnd.core.model import Job, Problem


def empty(stage: Path) -> None:
    """Make a folder, or what an earlier run left in it go away. Raises OSError."""
    if stage.is_symlink():  # a program put it there: what it leads to is none of kahnd's
        stage.unlink()
    try:
        left = list(stage.iterdir())
    except FileNotFoundError:
        stage.mkdir(parents=True, exist_ok=True)
        return
    for each in left:
        shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()


def not_begun(job: Job, error: OSError) -> Problem:
    """Of the machine: no room for a stage, or no process or file to be had."""
    remedy = "see to the machine's space, memory and limits (ulimit -n, ulimit -u)"
    return Problem(f"it can't be rendered here: {error.strerror}", job.document, remedy=remedy, passing=True)
