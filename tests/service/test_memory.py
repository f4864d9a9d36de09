"""What is loaded to stay: not looked through while it stays, and gone once it is garbage."""

from __future__ import annotations

import gc
import weakref

from kahnd.service.memory import lasting


class _Circle:
    """As a session's parts: each knows the other, so that counting references never frees them."""

    def __init__(self) -> None:
        self.itself = self


def test_what_an_ended_session_has_left_goes_before_the_next_one_loads() -> None:
    try:
        with lasting():
            earlier = _Circle()
        gone = weakref.ref(earlier)
        del earlier
        with lasting():
            assert gone() is None
    finally:
        gc.unfreeze()
