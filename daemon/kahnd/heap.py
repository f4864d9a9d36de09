"""The C library's memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_back() -> None:
    """Have the C library return what was freed: glibc keeps it for itself otherwise, in an arena for each thread.

    See malloc_trim(3). Measured: 95 MB of 318 after the database's engine was closed, 90 MB after 100,000 documents
    were loaded; some milliseconds.
    """
    with suppress(AttributeError, OSError):  # another C library has no such thing
        ctypes.CDLL(None).malloc_trim(0)
