"""Compares what a command printed with what a page shows of it.

Times, durations, hashes, ids and processes differ from run to run: any stands for any. `…` stands for the rest of a
line, or, alone on one, for any lines.
"""

from __future__ import annotations

import re
from typing import Final

_ANY: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?"), "<moment>"),
    (re.compile(r"\b\d{8}T\d{9}-\d+"), "<build>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<hash>"),
    (re.compile(r"\b\d+(?:\.\d+)? m?s\b"), "<duration>"),
    (re.compile(r'"(\w+_ms|pid)": [\d.]+'), r'"\1": <number>'),
    (re.compile(r"\b(pid=|process )\d+"), r"\1<number>"),
    (re.compile(r"(_ms=)[\d.]+"), r"\1<number>"),
    (re.compile(r" {2,}"), "  "),
)
_REST: Final = "…"


def plain(text: str) -> list[str]:
    """The lines, with all that differs from run to run taken out."""
    for pattern, stand_in in _ANY:
        text = pattern.sub(stand_in, text)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def fits(shown: str, printed: str) -> bool:
    """Tells whether it was printed as it is shown."""
    pattern = "".join(_line(line) for line in plain(shown))
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in plain(printed)), re.DOTALL) is not None


def _line(line: str) -> str:
    if line == _REST:
        return "(?:[^\n]*\n)*"
    return "[^\n]*".join(re.escape(part) for part in line.split(_REST)) + "\n"
