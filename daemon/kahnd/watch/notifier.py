"""What tells of changes: events, and the face that every source of them has. Which one serves, Coverage decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

MODIFY: Final = 0x2
ATTRIB: Final = 0x4
CLOSE_WRITE: Final = 0x8
MOVED_FROM: Final = 0x40
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
ISDIR: Final = 0x4000_0000
"""The bits of an event's mask are inotify's (see inotify(7)); other sources translate theirs."""


class Event(NamedTuple):
    """What happened (a mask of this module's bits) to a project path; a rename's two halves share a `cookie`."""

    path: str
    mask: int
    cookie: int


class News(NamedTuple):
    """Events. `overflow`: why others were lost, or may be; `stale`: what has to be watched is no longer what is."""

    events: tuple[Event, ...] = ()
    overflow: str = ""
    stale: bool = False


class Notifier(Protocol):
    """Watches folders, and all below them that can hold documents.

    All that happened before a cookie was written is told before the cookie, or with it.
    """

    @property
    def refused(self) -> Mapping[str, OSError]:
        """The topmost folders that can't be watched, with the reason."""
        ...

    async def cover(self, folders: Iterable[str]) -> None:
        """Watch these folders, and no others. Raises OSError where nothing can be watched."""
        ...

    async def retry(self) -> None:
        """Try once more to watch what was refused."""
        ...

    async def happened(self) -> None:
        """Return once there is news. When cancelled, nothing is lost. Raises OSError where the watch has failed."""
        ...

    def news(self) -> tuple[News, ...]:
        """What happened and was not told yet."""
        ...

    def is_linked(self, path: str) -> bool:
        """Whether a link among what is watched leads to this path, outside of it."""
        ...

    def close(self) -> None:
        """Watch nothing any more."""
        ...
