"""Objects exempted from garbage collection, and the process's use of resources."""

from __future__ import annotations

import gc
import resource
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from kahnd.platform.resources import exempt_from_gc, process_usage
from kahnd.platform.systemd import Notifier


class _Circle:
    """A reference cycle, as among the parts of a session, that only the garbage collector frees."""

    def __init__(self) -> None:
        self.itself = self


def test_objects_of_an_ended_session_are_collected_before_the_next_load() -> None:
    try:
        with exempt_from_gc():
            earlier = _Circle()
        gone = weakref.ref(earlier)
        del earlier
        with exempt_from_gc():
            assert gone() is None
    finally:
        gc.unfreeze()


@contextmanager
def no_descriptor() -> Iterator[None]:
    """Leave no free file descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_free_descriptors_sending_fails_and_open_files_are_unknown() -> None:
    with no_descriptor():
        gone, used = Notifier("@kahnd-test-nobody").send("READY=1"), process_usage()
    assert not gone
    assert used["open_files"] is None
    assert used["memory_mb"]
