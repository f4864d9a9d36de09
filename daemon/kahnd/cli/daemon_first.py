"""Facts come from the daemon if one runs, and else from this process."""

from __future__ import annotations

from collections.abc import Callable

from kahnd.errors import AlreadyRunningError, NobodyThereError
from kahnd.service.client import Json


def ask(daemon: Callable[[], Json], here: Callable[[], Json]) -> Json:
    """Ask the daemon, or do it here; the daemon again where it has come up in between and holds the project.

    One that is there, but silent or of another version, holds the project too: what is known of it is told at once.
    """
    try:
        return daemon()
    except NobodyThereError:
        pass
    try:
        return here()
    except AlreadyRunningError as held:
        try:
            return daemon()
        except NobodyThereError:
            raise held from None
