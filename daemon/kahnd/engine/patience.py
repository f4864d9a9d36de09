"""How a database that went away is waited for."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

import anyio

from kahnd.errors import StoreLostError

RETRY_S: Final = (0.1, 0.3, 1.0, 3.0, 5.0)
"""Pauses between tries while the database is away; the last one goes on."""
STEADY_S: Final = 30.0
"""A database that goes away again so soon after it came back is waited for as long as it was at last."""


class Patience:
    """A daemon's, whatever sessions it runs: says once that the database is away, and once that it is back."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._tries = 0
        self._back_since = -inf
        self.lost: StoreLostError | None = None

    @property
    def tried(self) -> bool:
        """Whether the database is away."""
        return self.lost is not None

    async def rest(self, error: StoreLostError) -> None:
        """Wait before the next try, longer each time."""
        if not self.tried:
            self._say("store.lost", error=str(error))
            self._tries = 0 if anyio.current_time() - self._back_since > STEADY_S else self._tries
        self.lost = error
        pause = RETRY_S[min(self._tries, len(RETRY_S) - 1)]
        self._tries += 1
        await anyio.sleep(pause)

    def reward(self) -> None:
        """The database answers."""
        if self.tried:
            self._say("store.restored")
            self.lost, self._back_since = None, anyio.current_time()
