from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from kahnd.watch.backends.protocol import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    ISDIR,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    WatchEvent,
)
from kahnd.watch.debounce import (
    BULK_MAX_S,
    BULK_PATHS,
    BULK_QUIET_S,
    BULK_TAIL_S,
    EMPTY_S,
    LOCKED_QUIET_S,
    OPEN_S,
    REMOVED_S,
    SAVE_MAX_S,
    UNFINISHED_MAX_S,
    Debouncer,
)

SETTLE_S = 0.01
QUIET_S = SETTLE_S / 2
SAVED_S = SETTLE_S / 10
MOST = 1000
A, B = "docs/a.md", "docs/b.md"


@dataclass
class Scenario:
    """Events at times set by hand, and the sizes of files."""

    sizes: dict[str, int] = field(default_factory=dict)
    now: float = 100.0
    closes: bool = True

    def __post_init__(self) -> None:
        self.debouncer = Debouncer(SETTLE_S, self.sizes.get, has_close_events=self.closes)

    def event(self, path: str, *masks: int, cookie: int = 0) -> None:
        for mask in masks:
            self.debouncer.add(WatchEvent(path, mask, cookie), self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def ready(self, *, locked: bool = False) -> set[str] | None:
        """Returns the paths that a watcher would report now; None for everything."""
        if self.debouncer.due_at(locked=locked) > self.now:
            return set()
        found = self.debouncer.take_ready(self.now, MOST)
        return None if found is None else set(found)

    def seconds_until_ready(self, path: str) -> float:
        """Returns the seconds until a path is ready if nothing more happens."""
        began = self.now
        while path not in (self.ready() or ()):
            due = self.debouncer.due_at(locked=False)
            assert due < math.inf, f"{path} is never ready"
            self.now = max(self.now, due)
        return self.now - began


@pytest.fixture
def scenario() -> Scenario:
    return Scenario()


def test_a_save_is_ready_once_it_has_settled(scenario: Scenario) -> None:
    scenario.sizes[A] = 10
    scenario.event(A, MODIFY, CLOSE_WRITE)
    assert scenario.seconds_until_ready(A) == pytest.approx(SAVED_S)
    assert scenario.debouncer.due_at(locked=False) == math.inf


@pytest.mark.parametrize(
    ("masks", "size", "seconds"),
    [
        ((MODIFY, CLOSE_WRITE), 10, SAVED_S),
        ((MODIFY, CLOSE_WRITE, ATTRIB), 10, SAVED_S),
        ((MODIFY, CLOSE_WRITE, MODIFY, CLOSE_WRITE), 10, SAVED_S),
        ((CREATE, MODIFY, CLOSE_WRITE), 10, QUIET_S),
        ((CREATE, CLOSE_WRITE), 0, QUIET_S),
        ((MOVED_TO,), 0, SAVED_S),
        ((ATTRIB,), 0, QUIET_S),
        ((CREATE | ISDIR,), None, BULK_QUIET_S),
        ((CREATE,), None, QUIET_S),
        ((MODIFY,), 10, OPEN_S),
        ((CREATE,), 0, OPEN_S),
        ((CREATE, MODIFY), 10, OPEN_S),
        ((MODIFY,), 0, EMPTY_S),
        ((MODIFY, CLOSE_WRITE), 0, EMPTY_S),
        ((DELETE,), None, REMOVED_S),
        ((MOVED_FROM,), None, REMOVED_S),
        ((CREATE, CLOSE_WRITE, DELETE), None, QUIET_S),
        ((DELETE, CREATE, MODIFY, CLOSE_WRITE), 10, SAVED_S),
    ],
)
def test_time_until_a_path_is_ready(masks: tuple[int, ...], size: int | None, seconds: float) -> None:
    scenario = Scenario({} if size is None else {A: size})
    scenario.event(A, *masks)
    assert scenario.seconds_until_ready(A) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("mask", "size", "seconds"), [(MODIFY, 10, QUIET_S), (CREATE, 0, QUIET_S), (MODIFY, 0, EMPTY_S)]
)
def test_without_close_events_time_alone_decides(mask: int, size: int, seconds: float) -> None:
    scenario = Scenario({A: size}, closes=False)
    scenario.event(A, mask)
    assert scenario.seconds_until_ready(A) == pytest.approx(seconds)


def test_an_unfinished_save_is_held_back_and_then_ready_at_once(scenario: Scenario) -> None:
    scenario.sizes[A] = 0
    scenario.event(A, MODIFY)
    scenario.wait(0.4)
    assert scenario.ready() == set()
    scenario.sizes[A] = 10
    scenario.event(A, MODIFY, CLOSE_WRITE)
    assert scenario.seconds_until_ready(A) == pytest.approx(SAVED_S)


def test_a_file_that_is_written_without_end_is_ready_in_between(scenario: Scenario) -> None:
    scenario.sizes[A] = 10
    began, seen = scenario.now, set[str]()
    while not seen:
        scenario.event(A, MODIFY)
        scenario.wait(OPEN_S / 5)
        seen = scenario.ready() or set()
    assert scenario.now - began == pytest.approx(UNFINISHED_MAX_S, abs=OPEN_S)


def test_a_file_that_is_held_back_delays_no_other(scenario: Scenario) -> None:
    scenario.sizes |= {A: 0, B: 10}
    scenario.event(A, MODIFY)
    scenario.event(B, MODIFY, CLOSE_WRITE)
    scenario.wait(SETTLE_S)
    assert scenario.ready() == {B}
    assert scenario.debouncer.pending == {A}


def test_both_halves_of_a_rename_are_ready_together(scenario: Scenario) -> None:
    scenario.sizes[B] = 10
    scenario.event(A, MOVED_FROM, cookie=7)
    scenario.event(B, MOVED_TO, cookie=7)
    scenario.wait(SETTLE_S)
    assert scenario.ready() == set()
    scenario.wait(REMOVED_S)
    assert scenario.ready() == {A, B}


def test_the_temporary_file_of_an_atomic_save_delays_nothing(scenario: Scenario) -> None:
    scenario.sizes[A] = 10
    scenario.event("docs/.tmp81", CREATE, MODIFY, CLOSE_WRITE)
    scenario.event("docs/.tmp81", MOVED_FROM, cookie=7)
    scenario.event(A, MOVED_TO, cookie=7)
    assert scenario.seconds_until_ready(A) == pytest.approx(SAVED_S)


def test_many_paths_need_a_longer_quiet(scenario: Scenario) -> None:
    for number in range(BULK_PATHS + 1):
        scenario.event(f"docs/{number}", ATTRIB)
    scenario.wait(BULK_QUIET_S * 0.9)
    assert scenario.ready() == set()
    scenario.event(A, ATTRIB)
    scenario.wait(BULK_QUIET_S)
    assert len(scenario.ready() or ()) == BULK_PATHS + 2


def test_events_right_after_a_bulk_change_belong_to_it(scenario: Scenario) -> None:
    scenario.sizes[A] = 10
    scenario.event("docs/new", CREATE | ISDIR)
    assert scenario.seconds_until_ready("docs/new") == pytest.approx(BULK_QUIET_S)
    scenario.wait(BULK_TAIL_S / 2)
    scenario.event(A, CREATE, MODIFY, CLOSE_WRITE)
    assert scenario.seconds_until_ready(A) == pytest.approx(BULK_QUIET_S)
    scenario.wait(BULK_TAIL_S)
    scenario.event(A, MODIFY, CLOSE_WRITE)
    assert scenario.seconds_until_ready(A) == pytest.approx(SAVED_S)


def test_a_folder_is_held_back_while_a_file_in_it_is_written(scenario: Scenario) -> None:
    scenario.sizes["docs/new/deep/a.md"] = 0
    scenario.event("docs/new", CREATE | ISDIR)
    scenario.event("docs/new/deep/a.md", CREATE, MODIFY)
    scenario.event(B, ATTRIB)
    scenario.wait(BULK_QUIET_S)
    assert scenario.ready() == {B}
    scenario.sizes["docs/new/deep/a.md"] = 10
    scenario.event("docs/new/deep/a.md", MODIFY, CLOSE_WRITE)
    scenario.wait(BULK_QUIET_S)
    assert scenario.ready() == {"docs/new", "docs/new/deep/a.md"}


@pytest.mark.parametrize(("paths", "longest"), [(1, SAVE_MAX_S), (BULK_PATHS + 1, BULK_MAX_S)])
def test_endless_events_are_ready_in_between(scenario: Scenario, paths: int, longest: float) -> None:
    began, seen = scenario.now, set[str]()
    while not seen:
        for number in range(paths):
            scenario.event(f"docs/{number}", ATTRIB)
        scenario.wait(SETTLE_S / 4)
        seen = scenario.ready() or set()
    assert scenario.now - began == pytest.approx(longest, abs=SETTLE_S)


def test_while_locked_nothing_is_ready_as_long_as_events_come(scenario: Scenario) -> None:
    for number in range(3):
        scenario.event(f"docs/{number}", ATTRIB)
        scenario.wait(LOCKED_QUIET_S * 0.8)
        assert scenario.ready(locked=True) == set()
    scenario.event(A, ATTRIB)
    assert scenario.ready(locked=True) == set()
    scenario.wait(BULK_MAX_S - 3 * LOCKED_QUIET_S * 0.8 + SETTLE_S)
    assert scenario.ready(locked=True) == {A, "docs/0", "docs/1", "docs/2"}


def test_a_lock_without_events_is_not_waited_for(scenario: Scenario) -> None:
    scenario.event(A, ATTRIB)
    scenario.wait(LOCKED_QUIET_S)
    assert scenario.ready(locked=True) == {A}


def test_too_many_paths_become_everything(scenario: Scenario) -> None:
    for number in range(MOST + 1):
        scenario.event(f"docs/{number}", MODIFY)
    scenario.wait(BULK_QUIET_S)
    assert scenario.ready() is None
    assert scenario.debouncer.pending == frozenset()
    assert scenario.debouncer.due_at(locked=False) == math.inf


def test_everything_is_ready_after_a_quiet(scenario: Scenario) -> None:
    scenario.debouncer.add_everything(scenario.now)
    assert scenario.ready() == set()
    scenario.wait(BULK_QUIET_S)
    assert scenario.ready() is None
    assert scenario.ready() == set()


def test_two_saves_settle_for_longer_than_one(scenario: Scenario) -> None:
    scenario.sizes |= {A: 10, B: 10}
    scenario.event(A, MODIFY, CLOSE_WRITE)
    scenario.event(B, MODIFY, CLOSE_WRITE)
    assert scenario.seconds_until_ready(A) == pytest.approx(QUIET_S)
