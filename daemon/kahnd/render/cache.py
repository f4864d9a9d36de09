"""A bounded cache of values computed from immutable inputs; and renderings when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from kahnd.core.model import Outcome
from kahnd.platform.resources import trim_heap

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Keeps the most recently used values: at most `size` of them, with a total weight of at most `weight`.

    A weight is an estimate of a value's bytes. A value that is heavier than the limit is not kept.
    """

    def __init__(self, size: int, weight: int) -> None:
        self._size = size
        self._max_weight = weight
        self._weight = 0
        self._values: dict[Key, tuple[Value, int]] = {}

    def get(self, key: Key, make: Callable[[], Value], weight: int) -> Value:
        """The cached value, or the result of `make`; an exception of `make` is passed on and nothing is cached.

        Old values are evicted before `make` is called, so that old and new never take memory at once.
        """
        if (kept := self._values.pop(key, None)) is not None:
            self._values[key] = kept
            return kept[0]
        self._evict_for(weight)
        value = make()
        if weight <= self._max_weight:
            self._evict_for(weight)  # `make` may have cached other values
            self._values[key] = (value, weight)
            self._weight += weight
        return value

    def clear(self) -> None:
        """Remove all values."""
        self._values.clear()
        self._weight = 0

    def _evict_for(self, weight: int) -> None:
        while self._values and (len(self._values) >= self._size or self._weight + weight > self._max_weight):
            self._weight -= self._values.pop(next(iter(self._values)))[1]


def retry_without_caches(render: Callable[[], Outcome], clear_caches: Callable[[], None]) -> Outcome:
    """The outcome of a rendering; if memory runs out, the caches are cleared and it is tried once more.

    So the outcome does not depend on earlier renderings. Raises MemoryError if the rendering alone needs too much.
    """
    try:
        return render()
    except MemoryError:
        clear_caches()
        trim_heap()
    return render()
