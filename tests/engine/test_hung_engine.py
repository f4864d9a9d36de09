"""The detection of a hung engine, on a clock that is moved by hand."""

from __future__ import annotations

import pytest

from kahnd.engine.maintenance import ALLOWED_S, Liveness, Waits


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def liveness(clock: Clock) -> Liveness:
    return Liveness(clock)


def test_a_loop_that_turns_has_not_hung(liveness: Liveness) -> None:
    with liveness.looping():
        for _ in range(3):
            assert liveness.hung() == ""
            liveness.turn()


def test_a_loop_that_stands_still_has_hung_until_it_turns(liveness: Liveness) -> None:
    with liveness.looping():
        assert liveness.hung() == ""
        assert [liveness.hung(), liveness.hung()] == ["its loop", "its loop"]
        liveness.turn()
        assert liveness.hung() == ""


@pytest.mark.parametrize("what", Waits)
def test_a_wait_without_progress_hangs_after_a_limit(liveness: Liveness, clock: Clock, what: Waits) -> None:
    with liveness.looping(), liveness.waiting(what):
        liveness.hung()
        clock.seconds = ALLOWED_S
        assert liveness.hung() == ""
        clock.seconds += 1
        assert liveness.hung() == what.value
        assert liveness.waits() == {what.value: ALLOWED_S + 1}
    assert liveness.waits().keys() == {Waits.SESSION}


def test_a_wait_with_progress_never_hangs(liveness: Liveness, clock: Clock) -> None:
    with liveness.looping(), liveness.waiting(Waits.LOOK), liveness.waiting(Waits.DATABASE):
        for _ in range(5):
            clock.seconds += ALLOWED_S
            assert liveness.hung() == ""
            liveness.progress(Waits.LOOK)
            liveness.progress(Waits.DATABASE)


def test_progress_of_one_operation_does_not_count_for_another(liveness: Liveness, clock: Clock) -> None:
    with liveness.looping(), liveness.waiting(Waits.LOOK), liveness.waiting(Waits.DATABASE):
        clock.seconds = ALLOWED_S + 1
        liveness.progress(Waits.LOOK)
        assert liveness.hung() == Waits.DATABASE


def test_after_a_wait_the_loop_has_until_the_next_check_to_turn(liveness: Liveness) -> None:
    with liveness.looping():
        with liveness.waiting(Waits.DATABASE):
            liveness.hung()
            assert liveness.hung() == ""
        assert liveness.hung() == ""
        assert liveness.hung() == "its loop"


def test_between_sessions_the_next_session_is_waited_for(liveness: Liveness, clock: Clock) -> None:
    clock.seconds = ALLOWED_S
    assert [liveness.hung(), liveness.hung()] == ["", ""]
    clock.seconds += 1
    assert liveness.hung() == Waits.SESSION
    with liveness.looping():
        clock.seconds += ALLOWED_S
        assert liveness.hung() == ""
    assert [liveness.hung(), liveness.hung()] == ["", ""]
