"""One life of watchfiles' kernel watcher: raw changes in the order of the kernel's queue, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import anyio
import anyio.to_thread
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

Changes = frozenset[tuple[int, str]]
"""What kind of change (a watchfiles.Change), and the absolute path."""

_STEP_MS: Final = 5
"""How often new events are asked for: half of a save's latency, against the daemon's idle load."""
_ASK_S: Final = 0.05


class _Enough(Exception):  # noqa: N818  not an error: it is how a wait ends early
    """Raised through watchfiles out of `_Stop.is_set`."""


class _Stop:
    """A stop event that can also end a wait early, once something else is worth the loop's attention.

    watchfiles' own time-out, and stopping, throw away what has been gathered; an exception leaves it for the next call.
    """

    def __init__(self, enough: Callable[[], bool]) -> None:
        self._enough = enough
        self._asked = time.monotonic()
        self._stopped = False

    def set(self) -> None:
        """End the wait for good."""
        self._stopped = True

    def is_set(self) -> bool:
        """Whether to stop; asked at every step. Raises _Enough."""
        now = time.monotonic()
        if now - self._asked >= _ASK_S and not self._stopped:
            self._asked = now
            if self._enough():
                raise _Enough
        return self._stopped


class Notifier:
    """Watches folders with all below them."""

    def __init__(self, notify: RustNotify, settle_ms: int) -> None:
        self._notify = notify
        self._settle_ms = settle_ms
        self._step_ms = min(_STEP_MS, max(1, settle_ms))
        self._limiter = anyio.CapacityLimiter(1)  # not one of the threads that others share

    async def changes(self, enough: Callable[[], bool]) -> Changes:
        """The next batch, or none once `enough`, which is asked 20 times a second in a worker thread.

        Raises WatchfilesRustInternalError.
        """
        stop = _Stop(enough)
        async with anyio.create_task_group() as group:
            group.start_soon(_stop_when_cancelled, stop)
            outcome = await anyio.to_thread.run_sync(self._wait, stop, limiter=self._limiter)
            group.cancel_scope.cancel()
        if isinstance(outcome, WatchfilesRustInternalError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Watch nothing any more."""
        self._notify.close()

    def _wait(self, stop: _Stop) -> Changes | WatchfilesRustInternalError:
        """The wait itself; its failure is a value, since a task group would wrap it."""
        try:
            changes = self._notify.watch(self._settle_ms, self._step_ms, 0, stop)
        except _Enough:
            return frozenset()
        except WatchfilesRustInternalError as error:
            return error
        return frozenset() if isinstance(changes, str) else frozenset(changes)


async def watch_folders(folders: Sequence[str], settle_ms: int) -> Notifier:
    """Begin to watch.

    Raises FileNotFoundError where a folder is not there, and OSError or WatchfilesRustInternalError where the kernel
    refuses (its limits are reached) or a folder can't be read.
    """
    notify = await anyio.to_thread.run_sync(
        lambda: RustNotify(
            list(folders),
            debug=False,
            force_polling=False,
            poll_delay_ms=0,
            recursive=True,
            ignore_permission_denied=False,
        )
    )
    return Notifier(notify, settle_ms)


async def _stop_when_cancelled(stop: _Stop) -> None:
    """The thread that waits can't be cancelled; it is told to stop."""
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()
