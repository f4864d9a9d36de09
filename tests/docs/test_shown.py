"""How what is shown is compared with what is printed."""

from __future__ import annotations

import pytest

from docs.reading import Code, Deed, steps
from docs.shown import fits


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("5 rendered (120 ms)\n", "5 rendered (1.3 s)\n"),
        ("at 2026-01-31T12:00:00.000Z\n", "at 2027-10-03T01:02:03.456Z\n"),
        (f"{'0' * 32} → x\n", f"{'f' * 32} → x\n"),
        ('"duration_ms": 1.5,\n', '"duration_ms": 12,\n'),
        ("idle (process 4711)\n", "idle (process 1)\n"),
        ("a   b\n", "a          b\n"),
        ("one\n…\nfour\n", "one\ntwo\nthree\nfour\n"),
        ("one\n…\n", "one\n"),
        ("failed …\n", "failed for some reason\n"),
    ],
)
def test_what_differs_from_run_to_run_may_differ(shown: str, printed: str) -> None:
    assert fits(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("5 rendered (120 ms)\n", "6 rendered (120 ms)\n"),
        ("one\n", "one\ntwo\n"),
        ("one\ntwo\n", "one\n"),
        ("one …\n", "one\n"),
        ("…\nlast\n", "last\nand more\n"),
    ],
)
def test_nothing_else_may(shown: str, printed: str) -> None:
    assert not fits(shown, printed)


def test_a_page_is_read_as_steps_with_their_lines() -> None:
    saved, done = "Save:\n```toml kahnd.toml\na = 1\n```\n", "and\n<!-- do: touch x -->\n"
    text = f"{saved}{done}```console\n$ ls\nx\n$ cat <<A\n> b\n> A\n```\n"
    file, deed, console = steps(text)
    assert file == Code(2, "toml", "kahnd.toml", "a = 1\n")
    assert deed == Deed(6, "touch x")
    assert isinstance(console, Code)
    assert [(each.line, each.command, each.shown) for each in console.calls()] == [
        (8, "ls", "x\n"),
        (10, "cat <<A\nb\nA", ""),
    ]
