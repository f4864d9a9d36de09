"""Task groups: they raise groups of exceptions, and users are told of one thing at a time; they end when told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio.abc import TaskGroup

from kahnd.errors import KahndError


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise the first KahndError out of a group of nothing but such; any other group stays as it is."""
    try:
        yield
    except BaseExceptionGroup as group:
        expected, others = group.split(KahndError)
        if expected is None or others is not None:
            raise
        raise _first(expected) from None


def _first(group: BaseExceptionGroup[KahndError]) -> KahndError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def cancel_after(event: anyio.Event, tasks: TaskGroup) -> None:
    """End a group once this has happened."""
    await event.wait()
    tasks.cancel_scope.cancel()
