"""File system events, and the protocol of the backends that report them. WatchSet chooses the backend."""

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
"""The bits of an event's mask are inotify's (see inotify(7)); other backends translate theirs."""


class WatchEvent(NamedTuple):
    """An event on a project path. `mask` is made of this module's bits; both halves of a rename share a `cookie`."""

    path: str
    mask: int
    cookie: int


class EventBatch(NamedTuple):
    """Events that were read together.

    `overflow` is the reason why other events were lost or may have been. `stale` means that the set of watched folders
    no longer matches the file system and has to be renewed.
    """

    events: tuple[WatchEvent, ...] = ()
    overflow: str = ""
    stale: bool = False


class Backend(Protocol):
    """Watches folders and everything below them that can hold documents.

    All events that happened before a cookie was written are reported before the cookie's event, or with it.
    """

    @property
    def refused(self) -> Mapping[str, OSError]:
        """The topmost folders that can't be watched, with the reason."""
        ...

    async def watch(self, folders: Iterable[str]) -> None:
        """Watches these folders and no others. Raises OSError if nothing can be watched."""
        ...

    async def retry_refused(self) -> None:
        """Tries again to watch the refused folders."""
        ...

    async def wait(self) -> None:
        """Returns once there are events. Loses none when cancelled. Raises OSError if the watch has failed."""
        ...

    def take_events(self) -> tuple[EventBatch, ...]:
        """Returns the events since the last call."""
        ...

    def is_link_target(self, path: str) -> bool:
        """Returns whether a symbolic link in a watched folder leads to this path, which lies outside of all of them."""
        ...

    def close(self) -> None:
        """Ends the watch."""
        ...
