"""Colours, and what may not steer a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis.strategies import characters, text

from kahnd.cli.terminal import printable_lines
from kahnd.core.text import escape_controls
from kahnd.telemetry.text_stream import shows_colours


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
    assert shows_colours(terminal=terminal, environ=environ) is shown


def test_a_name_is_one_line_with_its_control_characters_written_out() -> None:
    assert escape_controls("a\x1b[31m\x07\x9b\r\tb\nc") == "a\\x1b[31m\\x07\\x9b\\r\\tb\\nc"
    assert escape_controls("\u202egnp.md \u2066\u2028\udcff") == "\\u202egnp.md \\u2066\\u2028\\udcff"
    assert escape_controls("Café, naïve 日本 [red]x[/]") == "Café, naïve 日本 [red]x[/]"


def test_a_programs_words_keep_their_lines_and_tabs() -> None:
    assert printable_lines("one\r\n\ttwo\x1b[2J\x85\n") == ["one", "\ttwo\\x1b[2J\\x85"]
    assert printable_lines("") == []


UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")


@given(text(characters()))
def test_nothing_that_steers_a_terminal_is_left(drawn: str) -> None:
    assert not UNSAFE.search(escape_controls(drawn))
    assert not any(UNSAFE.search(each) for each in printable_lines(drawn))
