from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from kahnd.watch.gathering import (
    BULK_GOES_ON_S,
    BULK_LONGEST_S,
    BULK_QUIET_S,
    EMPTY_S,
    GONE_S,
    LOCKED_QUIET_S,
    MANY,
    OPEN_S,
    SAVE_LONGEST_S,
    UNFINISHED_LONGEST_S,
    Gathering,
)
from kahnd.watch.notifier import (
    ATTRIB,
    CLOSE_WRITE,
    CREATE,
    DELETE,
    ISDIR,
    MODIFY,
    MOVED_FROM,
    MOVED_TO,
    Event,
)

SETTLE_S = 0.01
QUIET_S = SETTLE_S / 2
SAVED_S = SETTLE_S / 10
MOST = 1000
A, B = "docs/a.md", "docs/b.md"


@dataclass
class Story:
    """Events at moments told by hand, and files' sizes."""

    sizes: dict[str, int] = field(default_factory=dict)
    now: float = 100.0
    closes: bool = True

    def __post_init__(self) -> None:
        self.gathering = Gathering(SETTLE_S, self.sizes.get, closes=self.closes)

    def happens(self, path: str, *masks: int, cookie: int = 0) -> None:
        for mask in masks:
            self.gathering.take(Event(path, mask, cookie), self.now)

    def passes(self, seconds: float) -> None:
        self.now += seconds

    def ripe(self, *, locked: bool = False) -> set[str] | None:
        """What a watcher would hand out now; None for everything."""
        if self.gathering.due(locked=locked) > self.now:
            return set()
        found = self.gathering.harvest(self.now, MOST)
        return None if found is None else set(found)

    def waits_for(self, path: str) -> float:
        """Seconds until a path is handed out, if nothing more happens."""
        began = self.now
        while path not in (self.ripe() or ()):
            due = self.gathering.due(locked=False)
            assert due < math.inf, f"{path} is never handed out"
            self.now = max(self.now, due)
        return self.now - began


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_save_is_handed_out_once_it_has_settled(story: Story) -> None:
    story.sizes[A] = 10
    story.happens(A, MODIFY, CLOSE_WRITE)
    assert story.waits_for(A) == pytest.approx(SAVED_S)
    assert story.gathering.due(locked=False) == math.inf


@pytest.mark.parametrize(
    ("masks", "size", "patience"),
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
        ((DELETE,), None, GONE_S),
        ((MOVED_FROM,), None, GONE_S),
        ((CREATE, CLOSE_WRITE, DELETE), None, QUIET_S),
        ((DELETE, CREATE, MODIFY, CLOSE_WRITE), 10, SAVED_S),
    ],
)
def test_how_long_a_path_is_left_alone(masks: tuple[int, ...], size: int | None, patience: float) -> None:
    story = Story({} if size is None else {A: size})
    story.happens(A, *masks)
    assert story.waits_for(A) == pytest.approx(patience)


@pytest.mark.parametrize(
    ("mask", "size", "patience"), [(MODIFY, 10, QUIET_S), (CREATE, 0, QUIET_S), (MODIFY, 0, EMPTY_S)]
)
def test_where_nobody_tells_of_closing_time_alone_decides(mask: int, size: int, patience: float) -> None:
    story = Story({A: size}, closes=False)
    story.happens(A, mask)
    assert story.waits_for(A) == pytest.approx(patience)


def test_a_save_that_goes_on_is_waited_for_and_then_handed_out_at_once(story: Story) -> None:
    story.sizes[A] = 0
    story.happens(A, MODIFY)
    story.passes(0.4)
    assert story.ripe() == set()
    story.sizes[A] = 10
    story.happens(A, MODIFY, CLOSE_WRITE)
    assert story.waits_for(A) == pytest.approx(SAVED_S)


def test_a_file_that_is_written_to_without_end_is_handed_out_in_between(story: Story) -> None:
    story.sizes[A] = 10
    began, seen = story.now, set[str]()
    while not seen:
        story.happens(A, MODIFY)
        story.passes(OPEN_S / 5)
        seen = story.ripe() or set()
    assert story.now - began == pytest.approx(UNFINISHED_LONGEST_S, abs=OPEN_S)


def test_a_file_that_is_held_holds_up_no_other(story: Story) -> None:
    story.sizes |= {A: 0, B: 10}
    story.happens(A, MODIFY)
    story.happens(B, MODIFY, CLOSE_WRITE)
    story.passes(SETTLE_S)
    assert story.ripe() == {B}
    assert story.gathering.pending == {A}


def test_both_ends_of_a_rename_are_handed_out_together(story: Story) -> None:
    story.sizes[B] = 10
    story.happens(A, MOVED_FROM, cookie=7)
    story.happens(B, MOVED_TO, cookie=7)
    story.passes(SETTLE_S)
    assert story.ripe() == set()
    story.passes(GONE_S)
    assert story.ripe() == {A, B}


def test_an_atomic_save_by_a_name_of_its_own_is_not_waited_for(story: Story) -> None:
    story.sizes[A] = 10
    story.happens("docs/.tmp81", CREATE, MODIFY, CLOSE_WRITE)
    story.happens("docs/.tmp81", MOVED_FROM, cookie=7)
    story.happens(A, MOVED_TO, cookie=7)
    assert story.waits_for(A) == pytest.approx(SAVED_S)


def test_much_at_once_needs_a_longer_quiet(story: Story) -> None:
    for number in range(MANY + 1):
        story.happens(f"docs/{number}", ATTRIB)
    story.passes(BULK_QUIET_S * 0.9)
    assert story.ripe() == set()
    story.happens(A, ATTRIB)
    story.passes(BULK_QUIET_S)
    assert len(story.ripe() or ()) == MANY + 2


def test_what_comes_right_after_a_bulk_change_belongs_to_it(story: Story) -> None:
    story.sizes[A] = 10
    story.happens("docs/new", CREATE | ISDIR)
    assert story.waits_for("docs/new") == pytest.approx(BULK_QUIET_S)
    story.passes(BULK_GOES_ON_S / 2)
    story.happens(A, CREATE, MODIFY, CLOSE_WRITE)
    assert story.waits_for(A) == pytest.approx(BULK_QUIET_S)
    story.passes(BULK_GOES_ON_S)
    story.happens(A, MODIFY, CLOSE_WRITE)
    assert story.waits_for(A) == pytest.approx(SAVED_S)


def test_a_folder_is_not_looked_into_while_a_file_is_written_there(story: Story) -> None:
    story.sizes["docs/new/deep/a.md"] = 0
    story.happens("docs/new", CREATE | ISDIR)
    story.happens("docs/new/deep/a.md", CREATE, MODIFY)
    story.happens(B, ATTRIB)
    story.passes(BULK_QUIET_S)
    assert story.ripe() == {B}
    story.sizes["docs/new/deep/a.md"] = 10
    story.happens("docs/new/deep/a.md", MODIFY, CLOSE_WRITE)
    story.passes(BULK_QUIET_S)
    assert story.ripe() == {"docs/new", "docs/new/deep/a.md"}


@pytest.mark.parametrize(("paths", "longest"), [(1, SAVE_LONGEST_S), (MANY + 1, BULK_LONGEST_S)])
def test_events_without_end_are_handed_out_in_between(story: Story, paths: int, longest: float) -> None:
    began, seen = story.now, set[str]()
    while not seen:
        for number in range(paths):
            story.happens(f"docs/{number}", ATTRIB)
        story.passes(SETTLE_S / 4)
        seen = story.ripe() or set()
    assert story.now - began == pytest.approx(longest, abs=SETTLE_S)


def test_while_locked_nothing_is_handed_out_as_long_as_something_happens_now_and_then(story: Story) -> None:
    for number in range(3):
        story.happens(f"docs/{number}", ATTRIB)
        story.passes(LOCKED_QUIET_S * 0.8)
        assert story.ripe(locked=True) == set()
    story.happens(A, ATTRIB)
    assert story.ripe(locked=True) == set()
    story.passes(BULK_LONGEST_S - 3 * LOCKED_QUIET_S * 0.8 + SETTLE_S)
    assert story.ripe(locked=True) == {A, "docs/0", "docs/1", "docs/2"}


def test_a_lock_under_which_nothing_happens_is_not_waited_for(story: Story) -> None:
    story.happens(A, ATTRIB)
    story.passes(LOCKED_QUIET_S)
    assert story.ripe(locked=True) == {A}


def test_too_much_is_everything_and_nothing_is_left(story: Story) -> None:
    for number in range(MOST + 1):
        story.happens(f"docs/{number}", MODIFY)
    story.passes(BULK_QUIET_S)
    assert story.ripe() is None
    assert story.gathering.pending == frozenset()
    assert story.gathering.due(locked=False) == math.inf


def test_what_casts_doubt_on_all_is_everything_after_a_quiet(story: Story) -> None:
    story.gathering.take_everything(story.now)
    assert story.ripe() == set()
    story.passes(BULK_QUIET_S)
    assert story.ripe() is None
    assert story.ripe() == set()


def test_a_save_beside_another_settles_for_longer(story: Story) -> None:
    story.sizes |= {A: 10, B: 10}
    story.happens(A, MODIFY, CLOSE_WRITE)
    story.happens(B, MODIFY, CLOSE_WRITE)
    assert story.waits_for(A) == pytest.approx(QUIET_S)
