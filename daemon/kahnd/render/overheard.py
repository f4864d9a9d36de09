"""What the project's own code prints while it renders: kept, in the place of the worker's own streams."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Final

MAX_SAID: Final = 2 * 1024
"""Bytes of what was printed last: with a traceback before it, still what the database keeps of a failure."""
_STANDARD_ERROR: Final = 2


class Overheard(io.TextIOWrapper):
    """Stands in for standard output and error, and keeps the end of what a call prints.

    One for all calls, and never closed: a module's loggers keep the stream that was there when it was loaded.
    """

    def __init__(self) -> None:
        self._end = _End()
        super().__init__(self._end, encoding="utf-8", errors="backslashreplace", write_through=True)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Keep what is printed meanwhile, and forget what was before."""
        self._end.kept = b""
        with redirect_stdout(self), redirect_stderr(self):
            yield

    @property
    def said(self) -> str:
        """What was printed."""
        return self._end.kept.decode(errors="replace").strip()

    def fileno(self) -> int:
        """Where programs that the code starts print: they want a descriptor."""
        return _STANDARD_ERROR

    def close(self) -> None:
        """Stay open: it is not the code's to close."""


class _End(io.RawIOBase):
    """Bytes of bounded size, however many are written."""

    name = "<overheard>"

    def __init__(self) -> None:
        super().__init__()
        self.kept = b""

    def writable(self) -> bool:
        """It is what it is for."""
        return True

    def write(self, data: Any, /) -> int:
        """Keep the end."""
        view = memoryview(data).cast("B")
        self.kept = (self.kept + bytes(view[-MAX_SAID:]))[-MAX_SAID:]
        return len(view)

    def close(self) -> None:
        """Likewise."""
