"""A worker's caches, which are bounded by number and by weight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.core.model import Failed, Outcome, Problem
from kahnd.render.cache import Cache, retry_without_caches


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50))))
def test_no_more_is_kept_than_is_allowed(asked: list[tuple[int, int]]) -> None:
    cache: Cache[tuple[int, int], int] = Cache(4, 100)
    kept: dict[tuple[int, int], int] = {}
    for key in asked:
        made: list[int] = []
        assert cache.get(key, lambda key=key, made=made: made.append(1) or key[0], key[1]) == key[0]  # type: ignore[misc]
        assert bool(made) == (key not in kept)
        kept[key] = kept.pop(key, key[1])
        while len(kept) > 4 or sum(kept.values()) > 100:
            del kept[next(iter(kept))]


def test_room_is_made_before_a_value_is() -> None:
    alive: set[str] = set()

    class Value:
        def __init__(self, name: str) -> None:
            self.name = name
            alive.add(name)

        def __del__(self) -> None:
            alive.discard(self.name)

    cache: Cache[str, Value] = Cache(9, 100)
    cache.get("a", lambda: Value("a"), 80)

    def make() -> Value:
        assert not alive
        return Value("b")

    cache.get("b", make, 80)
    cache.get("huge", lambda: Value("huge"), 101)
    assert alive == set()


def test_a_value_that_fails_is_not_kept() -> None:
    cache: Cache[str, int] = Cache(9, 100)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 // 0, 1)
    assert cache.get("a", lambda: 2, 1) == 2


def test_a_rendering_that_runs_out_of_memory_is_tried_again_with_nothing_kept() -> None:
    kept = ["much"]

    def render() -> Outcome:
        if kept:
            raise MemoryError
        return Failed(Problem("of its own"))

    assert retry_without_caches(render, kept.clear) == Failed(Problem("of its own"))


def test_a_rendering_that_needs_too_much_by_itself_is_tried_twice() -> None:
    tries: list[int] = []

    def render() -> Outcome:
        tries.append(1)
        raise MemoryError

    with pytest.raises(MemoryError):
        retry_without_caches(render, lambda: None)
    assert len(tries) == 2
