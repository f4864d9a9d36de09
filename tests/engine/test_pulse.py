"""What counts as a sign of life, and what as having hung; on a clock that is moved by hand."""

from __future__ import annotations

import pytest

from kahnd.engine.pulse import ALLOWED_S, Pulse, Waits


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(clock: Clock) -> Pulse:
    return Pulse(clock)


def test_a_loop_that_goes_round_has_not_hung(pulse: Pulse) -> None:
    with pulse.looping():
        for _ in range(3):
            assert pulse.hung() == ""
            pulse.turn()


def test_a_loop_that_stands_has_hung_until_it_goes_round(pulse: Pulse) -> None:
    with pulse.looping():
        assert pulse.hung() == ""
        assert [pulse.hung(), pulse.hung()] == ["its loop", "its loop"]
        pulse.turn()
        assert pulse.hung() == ""


@pytest.mark.parametrize("what", Waits)
def test_what_is_waited_for_may_take_its_time_but_not_for_ever(pulse: Pulse, clock: Clock, what: Waits) -> None:
    with pulse.looping(), pulse.waiting(what):
        pulse.hung()
        clock.seconds = ALLOWED_S
        assert pulse.hung() == ""
        clock.seconds += 1
        assert pulse.hung() == what.value
        assert pulse.waited_for() == {what.value: ALLOWED_S + 1}
    assert pulse.waited_for().keys() == {Waits.SESSION}


def test_what_shows_that_it_goes_on_may_take_as_long_as_it_likes(pulse: Pulse, clock: Clock) -> None:
    with pulse.looping(), pulse.waiting(Waits.LOOK), pulse.waiting(Waits.DATABASE):
        for _ in range(5):
            clock.seconds += ALLOWED_S
            assert pulse.hung() == ""
            pulse.sign(Waits.LOOK)
            pulse.sign(Waits.DATABASE)


def test_a_sign_of_one_thing_is_none_of_another(pulse: Pulse, clock: Clock) -> None:
    with pulse.looping(), pulse.waiting(Waits.LOOK), pulse.waiting(Waits.DATABASE):
        clock.seconds = ALLOWED_S + 1
        pulse.sign(Waits.LOOK)
        assert pulse.hung() == Waits.DATABASE


def test_where_a_wait_ends_the_loop_has_until_the_next_look_to_go_on(pulse: Pulse) -> None:
    with pulse.looping():
        with pulse.waiting(Waits.DATABASE):
            pulse.hung()
            assert pulse.hung() == ""
        assert pulse.hung() == ""
        assert pulse.hung() == "its loop"


def test_between_sessions_the_next_one_is_waited_for(pulse: Pulse, clock: Clock) -> None:
    clock.seconds = ALLOWED_S
    assert [pulse.hung(), pulse.hung()] == ["", ""]
    clock.seconds += 1
    assert pulse.hung() == Waits.SESSION
    with pulse.looping():
        clock.seconds += ALLOWED_S
        assert pulse.hung() == ""
    assert [pulse.hung(), pulse.hung()] == ["", ""]
