"""Debounces events: decides when a changed path is looked at, so not in the middle of a save or of a bulk change.

1. Events settle: after the last one there is quiet for half the settling time; for a tenth of it where a single file
   was closed or renamed into place; for longer after many events, or while git holds its lock.
2. A file that is still open for writing, or was emptied or removed, gets time to be written or replaced.
3. All of this is bounded: whatever happens, a look is due some seconds after the first event.

It knows neither the kernel nor the clock: events and the time are passed in, and it asks for a file's size.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kahnd.watch.backends.protocol import CLOSE_WRITE, CREATE, DELETE, ISDIR, MODIFY, MOVED_FROM, MOVED_TO, WatchEvent
from kahnd.watch.ignore import with_ancestors

BULK_PATHS: Final = 20
"""With more paths than this, or a new folder, the change is no single save: a checkout, an unpacked archive, a copy."""
BULK_QUIET_S: Final = 0.15
BULK_MAX_S: Final = 5.0
BULK_TAIL_S: Final = 1.0
"""Events this soon after a bulk change belong to it."""
LOCKED_QUIET_S: Final = 2.0
"""A git that holds its lock and changes nothing for so long waits for a commit message, or is dead."""
COMPLETE_SHARE: Final = 0.1
"""Share of the settling time after one file was written and closed, or renamed into place: nothing more will follow."""
SAVE_SHARE: Final = 0.5
SAVE_MAX_S: Final = 0.1
REMOVED_S: Final = 0.1
"""Editors remove a file and put another in its place."""
OPEN_S: Final = 0.5
"""A file that is open for writing is looked at after this long without a write: logs stay open for days."""
EMPTY_S: Final = 1.0
"""Many saves begin by emptying the file; its writer may take longer to fill it."""
UNFINISHED_MAX_S: Final = 5.0

FileSize = Callable[[str], int | None]
"""Returns a regular file's size in bytes; None if there is none."""


@dataclass(slots=True)
class _PathState:
    """The events of one path so far: the times of the first and the last, and what they tell about its writer.

    `is_new`: the first event created it or moved it here. `is_created`: the first event created it; such a file is
    often a temporary one that will be renamed. `is_complete`: the writer has closed it or moved it here.
    """

    first_at: float
    last_at: float
    is_open: bool = False
    is_modified: bool = False
    is_removed: bool = False
    is_new: bool = False
    is_created: bool = False
    is_complete: bool = False
    renamed_from: str = ""

    @property
    def is_temporary(self) -> bool:
        """Tells whether it came and went: nothing that was there before has changed."""
        return self.is_new and self.is_removed

    @property
    def replace_by(self) -> float:
        """The time until which a removed file may be replaced by another; a temporary one is not waited for."""
        return -math.inf if self.is_new else self.last_at + REMOVED_S

    def add(self, event: WatchEvent, now: float) -> None:
        """Takes in one more event."""
        mask = event.mask
        self.last_at = now
        self.is_removed = bool(mask & (MOVED_FROM | DELETE))
        self.is_modified |= bool(mask & MODIFY)
        if mask & (CLOSE_WRITE | MOVED_TO):
            self.is_complete = bool(mask & MOVED_TO) or not self.is_created
        elif mask & (CREATE | MODIFY) or self.is_removed:
            self.is_complete = False
        if mask & (CLOSE_WRITE | MOVED_TO | MOVED_FROM | DELETE | ISDIR):
            self.is_open = False
        elif mask & (CREATE | MODIFY):
            self.is_open = True
        if mask & MOVED_TO:
            self.is_modified = False


class Debouncer:
    """Holds changed paths until they are ready. Times are in seconds of a monotonic clock.

    `is_everything` is set once everything has to be looked at. With `has_close_events` false, nothing tells when a file
    that is open for writing is closed, so that is not waited for.
    """

    def __init__(self, settle_s: float, file_size: FileSize, *, has_close_events: bool = True) -> None:
        self._settle_s = settle_s
        self._file_size = file_size
        self._has_close_events = has_close_events
        self._paths: dict[str, _PathState] = {}
        self._renames: dict[int, str] = {}
        self.is_everything = False
        self._first_at = math.inf
        self.events = 0
        """How many events were taken in."""
        self._last_at = self._bulk_ended_at = -math.inf
        self._is_bulk = False
        self._held_until = math.inf

    @property
    def pending(self) -> frozenset[str]:
        """All paths that have not been returned yet."""
        return frozenset(self._paths)

    @property
    def settling_since(self) -> float:
        """The time of the first event that is settling; infinite if there is none."""
        return self._first_at

    def add(self, event: WatchEvent, now: float) -> None:
        """Takes in one more event."""
        self.events += 1
        state = self._paths.get(event.path)
        if state is None:
            is_created = bool(event.mask & CREATE)
            is_new = is_created or bool(event.mask & MOVED_TO)
            state = self._paths[event.path] = _PathState(now, now, is_new=is_new, is_created=is_created)
        state.add(event, now)
        self._pair_rename(event, state)
        self._restart_settling(now)
        brings_folder = bool(event.mask & ISDIR and event.mask & (CREATE | MOVED_TO))
        self._is_bulk |= brings_folder or len(self._paths) > BULK_PATHS or now - self._bulk_ended_at < BULK_TAIL_S

    def add_everything(self, now: float) -> None:
        """Takes in that any path may have changed."""
        self.is_everything = self._is_bulk = True
        self._restart_settling(now)

    def due_at(self, *, locked: bool) -> float:
        """Returns the time from which on to call `take_ready`; infinite if nothing is pending.

        `locked` tells whether git holds its lock.
        """
        if self._first_at == math.inf:
            return self._held_until
        if locked:
            return min(self._last_at + LOCKED_QUIET_S, self._first_at + BULK_MAX_S)
        quiet_s = max(self._settle_s, BULK_QUIET_S) if self._is_bulk else self._settle_s * self._settle_share()
        max_s = BULK_MAX_S if self._is_bulk else max(self._settle_s, SAVE_MAX_S)
        return min(self._last_at + quiet_s, self._first_at + max_s)

    def take_ready(self, now: float, limit: int) -> frozenset[str] | None:
        """Removes and returns the paths that are ready; None if that is everything, or more than `limit` paths.

        The folders above a path that is held back are held back too: looking into them would show that path.
        """
        if self._is_bulk:
            self._bulk_ended_at, self._is_bulk = now, False
        if self.is_everything or len(self._paths) > limit:
            self.take_all()
            return None
        self._first_at = math.inf
        held = {path: until for path in self._paths if (until := self._hold_until(path)) > now}
        folders = {folder for path in held for folder in with_ancestors(posixpath.dirname(path))}
        ready = frozenset(self._paths.keys() - held.keys() - folders)
        for path in ready:
            del self._paths[path]
        self._held_until = min(held.values(), default=math.inf)
        return ready

    def take_all(self) -> frozenset[str]:
        """Removes and returns all paths, ready or not."""
        paths = self.pending
        self._paths.clear()
        self._renames.clear()
        self.is_everything = False
        self._first_at = self._held_until = math.inf
        return paths

    def _settle_share(self) -> float:
        """Returns the share of the settling time to wait: less if there is one file only, and its save is complete."""
        states = [state for state in self._paths.values() if not state.is_temporary]
        is_complete = self._has_close_events and len(states) == 1 and states[0].is_complete
        return COMPLETE_SHARE if is_complete else SAVE_SHARE

    def _restart_settling(self, now: float) -> None:
        self._first_at, self._last_at = min(self._first_at, now), now

    def _pair_rename(self, event: WatchEvent, state: _PathState) -> None:
        """Remembers where a renamed file came from, so that both halves of the rename are returned together."""
        if event.mask & MOVED_FROM:
            self._renames[event.cookie] = event.path
        elif event.mask & MOVED_TO:
            state.renamed_from = self._renames.pop(event.cookie, "")

    def _hold_until(self, path: str) -> float:
        """Returns the time until which a path is held back."""
        state = self._paths[path]
        return min(self._unfinished_until(path, state), state.first_at + UNFINISHED_MAX_S)

    def _unfinished_until(self, path: str, state: _PathState) -> float:
        if state.is_removed:
            return state.replace_by
        origin = self._paths.get(state.renamed_from)
        if origin is not None and origin.is_removed:
            return origin.replace_by
        if not (state.is_open or state.is_modified):
            return -math.inf
        size = self._file_size(path)
        if size == 0 and state.is_modified:
            return state.last_at + EMPTY_S
        is_open = self._has_close_events and state.is_open and size is not None
        return state.last_at + OPEN_S if is_open else -math.inf
