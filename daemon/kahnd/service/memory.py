"""What a large graph asks of Python's garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from kahnd.heap import give_back


@contextmanager
def lasting() -> Iterator[None]:
    """What is made in here is there to stay, and not looked through for garbage, while it is made and afterwards.

    The collector goes through all objects again and again as they become more, and finds nothing: a quarter of the
    time that it takes to load a graph, and later pauses in the midst of edits. What an earlier use has left is garbage
    by now, as when a session has ended: that goes first, or it would stay for good. What was only needed on the way
    goes back to the system.
    """
    if gc.get_freeze_count():
        gc.unfreeze()
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        give_back()
