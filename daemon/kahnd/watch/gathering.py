"""When what happened is worth a look: not in the middle of a save, and not in the middle of a bulk change.

1. Events settle: half the settling time of quiet after a save, a tenth where it is plain that it is over, more after
   many events, and as long as git holds its lock.
2. A file still open for writing, or emptied, or removed, is given time to become what its writer means it to be.
3. None of this lasts: whatever comes, a look is due some seconds after the first event.

Knows neither the kernel nor the clock: it is told events and the time, and asks for a file's size.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kahnd.watch.ignore import upwards
from kahnd.watch.notifier import CLOSE_WRITE, CREATE, DELETE, ISDIR, MODIFY, MOVED_FROM, MOVED_TO, Event

MANY: Final = 20
"""Above this many paths, and with a folder that comes, it is no single save: a checkout, an unpacking, a copy."""
BULK_QUIET_S: Final = 0.15
BULK_LONGEST_S: Final = 5.0
BULK_GOES_ON_S: Final = 1.0
"""What comes so soon after a bulk change belongs to it."""
LOCKED_QUIET_S: Final = 2.0
"""A git that holds its lock and changes nothing for so long waits for somebody: for a commit's message, or is dead."""
SAVED_SHARE: Final = 0.1
"""Of the settling time, where one file was written and closed, or renamed into place: nothing more is to come."""
SAVE_LONGEST_S: Final = 0.1
GONE_S: Final = 0.1
"""Editors take a file away and put another in its place."""
OPEN_S: Final = 0.5
"""A file that is open for writing is looked at after this long without a write: logs stay open for days."""
EMPTY_S: Final = 1.0
"""Nobody means an empty file, but many a save begins with one: its writer may take longer."""
UNFINISHED_LONGEST_S: Final = 5.0

Size = Callable[[str], int | None]
"""A regular file's size in bytes; None where none stands."""


@dataclass(slots=True)
class _Path:
    """What happened to one path: when first and last, and what its writer is about, as far as events tell.

    `created`: its first event was that; many a new file is renamed to another that was there. `whole`: all was written.
    """

    first: float
    last: float
    is_open: bool = False
    written: bool = False
    gone: bool = False
    born: bool = False
    created: bool = False
    whole: bool = False
    partner: str = ""

    @property
    def grace(self) -> float:
        """Until when one that is gone may come back; what came and went in between was only ever temporary."""
        return -math.inf if self.born else self.last + GONE_S

    def take(self, event: Event, now: float) -> None:
        """One more event."""
        mask = event.mask
        self.last = now
        self.gone = bool(mask & (MOVED_FROM | DELETE))
        self.written |= bool(mask & MODIFY)
        if mask & (CLOSE_WRITE | MOVED_TO):
            self.whole = bool(mask & MOVED_TO) or not self.created
        elif mask & (CREATE | MODIFY) or self.gone:
            self.whole = False
        if mask & (CLOSE_WRITE | MOVED_TO | MOVED_FROM | DELETE | ISDIR):
            self.is_open = False
        elif mask & (CREATE | MODIFY):
            self.is_open = True
        if mask & MOVED_TO:
            self.written = False


class Gathering:
    """Paths that something happened to, until they are ripe. Times are in seconds of one clock that never goes back.

    `everything`: all there is has to be looked at. Without `closes` nobody tells when a file that was open for writing
    is closed: then it is not waited for.
    """

    def __init__(self, settle_s: float, size: Size, *, closes: bool = True) -> None:
        self._settle_s = settle_s
        self._size = size
        self._closes = closes
        self._paths: dict[str, _Path] = {}
        self._moves: dict[int, str] = {}
        self.everything = False
        self._first = math.inf
        self._last = self._bulk_ended = -math.inf
        self._is_bulk = False
        self._held_until = math.inf

    @property
    def pending(self) -> frozenset[str]:
        """All paths that were not handed out yet."""
        return frozenset(self._paths)

    @property
    def since(self) -> float:
        """When the first event came of those that are settling; infinite while there is none."""
        return self._first

    def take(self, event: Event, now: float) -> None:
        """One more event."""
        known = self._paths.get(event.path)
        if known is None:
            created = bool(event.mask & CREATE)
            born = created or bool(event.mask & MOVED_TO)
            known = self._paths[event.path] = _Path(now, now, born=born, created=created)
        known.take(event, now)
        self._pair(event, known)
        self._stir(now)
        brings_folder = bool(event.mask & ISDIR and event.mask & (CREATE | MOVED_TO))
        self._is_bulk |= brings_folder or len(self._paths) > MANY or now - self._bulk_ended < BULK_GOES_ON_S

    def take_everything(self, now: float) -> None:
        """Anything may have happened."""
        self.everything = self._is_bulk = True
        self._stir(now)

    def due(self, *, locked: bool) -> float:
        """From when on to ask what is ripe; infinite while there is nothing."""
        if self._first == math.inf:
            return self._held_until
        if locked:
            return min(self._last + LOCKED_QUIET_S, self._first + BULK_LONGEST_S)
        quiet = max(self._settle_s, BULK_QUIET_S) if self._is_bulk else self._settle_s * self._share()
        longest = BULK_LONGEST_S if self._is_bulk else max(self._settle_s, SAVE_LONGEST_S)
        return min(self._last + quiet, self._first + longest)

    def harvest(self, now: float, most: int) -> frozenset[str] | None:
        """What is ripe, handed out once; None for everything, where it must be or where it is more than `most`.

        With a path that is left alone, the folders above it are: a look at these would see it, too.
        """
        if self._is_bulk:
            self._bulk_ended, self._is_bulk = now, False
        if self.everything or len(self._paths) > most:
            self.clear()
            return None
        self._first = math.inf
        held = {path: until for path in self._paths if (until := self._until(path)) > now}
        folders = {above for path in held for above in upwards(posixpath.dirname(path))}
        ripe = frozenset(self._paths.keys() - held.keys() - folders)
        for path in ripe:
            del self._paths[path]
        self._held_until = min(held.values(), default=math.inf)
        return ripe

    def clear(self) -> frozenset[str]:
        """Hand all paths out, ripe or not."""
        paths = self.pending
        self._paths.clear()
        self._moves.clear()
        self.everything = False
        self._first = self._held_until = math.inf
        return paths

    def _share(self) -> float:
        """How much of the settling time a save is given: little to one file that is written, and nothing beside it."""
        lasting = [each for each in self._paths.values() if not (each.gone and each.born)]
        return SAVED_SHARE if self._closes and len(lasting) == 1 and lasting[0].whole else 0.5

    def _stir(self, now: float) -> None:
        self._first, self._last = min(self._first, now), now

    def _pair(self, event: Event, known: _Path) -> None:
        """Both halves of a rename are seen together."""
        if event.mask & MOVED_FROM:
            self._moves[event.cookie] = event.path
        elif event.mask & MOVED_TO:
            known.partner = self._moves.pop(event.cookie, "")

    def _until(self, path: str) -> float:
        """Until when a path is left alone."""
        known = self._paths[path]
        return min(self._patience(path, known), known.first + UNFINISHED_LONGEST_S)

    def _patience(self, path: str, known: _Path) -> float:
        if known.gone:
            return known.grace
        partner = self._paths.get(known.partner)
        if partner is not None and partner.gone:
            return partner.grace
        if not (known.is_open or known.written):
            return -math.inf
        size = self._size(path)
        if size == 0 and known.written:
            return known.last + EMPTY_S
        is_open = self._closes and known.is_open and size is not None
        return known.last + OPEN_S if is_open else -math.inf
