from __future__ import annotations

import time

import pytest

from kahnd.platform.clock import SystemClock


def test_suspension_is_the_difference_of_two_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = {time.CLOCK_BOOTTIME: 100.0, time.CLOCK_MONOTONIC: 40.0}
    monkeypatch.setattr(time, "clock_gettime", clocks.__getitem__)
    assert SystemClock().suspended() == 60


def test_without_a_boot_clock_suspension_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert SystemClock().suspended() == 0
