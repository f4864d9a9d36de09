"""Source folders that are not there: told once each, until they are back."""

from __future__ import annotations

from collections.abc import Callable, Collection

from kahnd.core.model import Problem
from kahnd.service.events import Event


class Absences:
    """What has been told of and is still so. `say` writes a log line."""

    def __init__(self, say: Callable[..., None]) -> None:
        self._say = say
        self._told: frozenset[str] = frozenset()

    def tell(self, missing: Collection[Problem]) -> None:
        """These are missing now."""
        for problem in missing:
            if problem.message not in self._told:
                self._say(Event.SOURCE_MISSING, error=str(problem))
        self._told = frozenset(each.message for each in missing)
