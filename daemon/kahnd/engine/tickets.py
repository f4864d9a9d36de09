"""Those who wait for an answer: each has a ticket, and may want to see how things go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import anyio

from kahnd.core.messages import Report
from kahnd.core.model import DocumentId, Ticket

OnProgress = Callable[[int, int, str], None]
"""Hears of documents done, of how many, and the last one."""


@dataclass(slots=True)
class _Waiter:
    done: anyio.Event
    on_progress: OnProgress | None
    report: Report | None = None


class Tickets:
    """Owns the waiters."""

    def __init__(self) -> None:
        self._waiters: dict[Ticket, _Waiter] = {}
        self._last = 0

    def open(self, on_progress: OnProgress | None = None) -> Ticket:
        """A new ticket."""
        self._last += 1
        ticket = Ticket(str(self._last))
        self._waiters[ticket] = _Waiter(anyio.Event(), on_progress)
        return ticket

    def answer(self, ticket: Ticket, report: Report) -> None:
        """Tell whoever has this ticket, if they still wait."""
        waiter = self._waiters.get(ticket)
        if waiter:
            waiter.report = report
            waiter.done.set()

    async def answered(self, ticket: Ticket) -> Report:
        """Wait for a ticket's answer."""
        waiter = self._waiters[ticket]
        try:
            await waiter.done.wait()
        finally:
            del self._waiters[ticket]
        assert waiter.report is not None  # noqa: S101 - set before `done`
        return waiter.report

    def show(self, progress: tuple[int, DocumentId] | None, unfinished: int) -> None:
        """How a build goes: how many documents are done with, and the last of them."""
        for waiter in self._waiters.values() if progress else ():
            if waiter.on_progress and progress:
                done, latest = progress
                waiter.on_progress(done, done + unfinished, latest)
