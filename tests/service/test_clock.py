from __future__ import annotations

import time

import pytest

from kahnd.service.clock import SystemClock


def test_sleep_is_told_by_the_clock_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {time.CLOCK_BOOTTIME: 100.0, time.CLOCK_MONOTONIC: 40.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    assert SystemClock().suspended() == 60


def test_where_no_clock_tells_of_sleep_there_was_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert SystemClock().suspended() == 0
