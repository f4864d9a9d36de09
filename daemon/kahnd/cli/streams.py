"""Standard streams that may be closed, or take nothing more."""

from __future__ import annotations

import os
import sys
from typing import Final

_NAMES: Final = ("stdin", "stdout", "stderr")
"""In the order of their descriptors."""


def prepare() -> None:
    """Make them writable for whatever text there is, and whole: one that is closed (`2>&-`) leads to nowhere.

    Else the next file that is opened would be in its place, and what programs write there would be in that file.
    """
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            _point_to_nowhere(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name may be no UTF-8


def finish() -> None:
    """Let nothing be left that can't be written: Python would end with a traceback, and a code of its own.

    Whoever wrote it has been told already.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _point_to_nowhere(stream.fileno())


def _point_to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere == number:
        os.set_inheritable(number, True)  # noqa: FBT003 (os's)
        return
    os.dup2(nowhere, number)
    os.close(nowhere)
