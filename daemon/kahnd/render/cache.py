"""A bounded memory of what was computed from something that does not change."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Cache(Generic[Key, Value]):
    """Keeps the `size` values used last, and of these no more than weigh `weight` together.

    A weight is an estimate of a value's bytes; a value that is heavier than all that is allowed is not kept.
    """

    def __init__(self, size: int, weight: int) -> None:
        self._size = size
        self._allowed = weight
        self._weight = 0
        self._values: dict[Key, tuple[Value, int]] = {}

    def get(self, key: Key, make: Callable[[], Value], weight: int) -> Value:
        """The value kept for the key, or made now; an exception of `make` is passed on and nothing kept.

        Room for the new value is made before it is, so that both never take memory at once.
        """
        if (kept := self._values.pop(key, None)) is not None:
            self._values[key] = kept
            return kept[0]
        self._make_room(weight)
        value = make()
        if weight <= self._allowed:
            self._make_room(weight)  # making it may have kept others
            self._values[key] = (value, weight)
            self._weight += weight
        return value

    def clear(self) -> None:
        """Keep nothing."""
        self._values.clear()
        self._weight = 0

    def _make_room(self, weight: int) -> None:
        while self._values and (len(self._values) >= self._size or self._weight + weight > self._allowed):
            self._weight -= self._values.pop(next(iter(self._values)))[1]
