"""What the event loop complains of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from kahnd.ports import PRESSING
from kahnd.service.events import Event

FAULT_S: Final = 5.0
"""A fault that comes again within this time has not been over in between."""


class Faults:
    """A loop's exception handler. `say` writes a log line."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._faulty_until = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A socket that can't be accepted for want of files is tried again by the loop, and told once until it can."""
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in PRESSING:
            loop.default_exception_handler(context)
            return
        if loop.time() > self._faulty_until:
            self._say(Event.CONTROL_FAILED, error=error.strerror, remedy="see to the limit on open files (ulimit -n)")
        self._faulty_until = loop.time() + FAULT_S
