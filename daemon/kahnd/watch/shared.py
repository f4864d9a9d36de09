"""Files with several hard links: what is written to one by a name outside of the sources makes no event here.

So their stats are compared every so often, each in its turn: as many at once as take little time.
"""

from __future__ import annotations

import os
import time
from collections import deque
from math import inf
from typing import Final

from kahnd.core.model import DocumentId
from kahnd.watch.cache import StatCache

LITTLE_S: Final = 0.005
"""What a look may take that nobody asked for: every second, half a hundredth of a core."""
_AT_ONCE: Final = 64


class Shared:
    """Knows documents whose file has other names, and where that file is."""

    def __init__(self, cache: StatCache) -> None:
        self._cache = cache
        self._files: dict[DocumentId, str] = {}
        self._turns: deque[DocumentId] = deque()

    def __len__(self) -> int:
        return len(self._files)

    def note(self, document: DocumentId, file: str, found: os.stat_result) -> None:
        """A document's file was seen."""
        if found.st_nlink > 1:
            if document not in self._files:
                self._turns.append(document)
            self._files[document] = file
        elif self._files:
            self._files.pop(document, None)

    def changed(self, *, at_leisure: bool) -> list[DocumentId]:
        """Those that are others than they were when they were hashed: of all, or of as many as LITTLE_S allows."""
        until = time.perf_counter() + LITTLE_S if at_leisure else inf
        changed: list[DocumentId] = []
        for number in range(len(self._turns)):
            if number % _AT_ONCE == 0 and time.perf_counter() > until:
                break
            document = self._turns.popleft()
            file, entry = self._files.get(document), self._cache.get(document)
            if file is None or entry is None:
                self._files.pop(document, None)  # gone, or with one name only
                continue
            self._turns.append(document)
            if entry.stat is not None and not entry.resembles(_stat(file)):
                changed.append(document)
        return changed


def _stat(file: str) -> os.stat_result | None:
    try:
        return os.stat(file)  # noqa: PTH116 - of thousands
    except OSError:
        return None
