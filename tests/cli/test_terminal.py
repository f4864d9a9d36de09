"""Colours, and what may not steer a terminal."""

from __future__ import annotations

import pytest

from kahnd.cli.terminal import tame
from kahnd.service.colours import wanted


@pytest.mark.parametrize(
    ("environ", "terminal", "shown"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"CLICOLOR": "1"}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_the_environment(*, environ: dict[str, str], terminal: bool, shown: bool) -> None:
    assert wanted(terminal=terminal, environ=environ) is shown


def test_control_characters_are_written_out_and_lines_stay() -> None:
    assert tame("a\x1b[31m\x07\x9b\r\tb\nc") == "a\\x1b[31m\\x07\\x9b\\r\tb\nc"
