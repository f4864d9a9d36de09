r"""Text and numbers as the database, the log and the socket can hold them: UTF-8, and 64 bits.

Python's own strings can hold half a character (a lone surrogate: a JSON or YAML escape such as `\ud83d`, or a byte of
a name that is not UTF-8), and its integers have no end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any, Final

SMALLEST: Final = -(1 << 63)
LARGEST: Final = (1 << 63) - 1
_HALF: Final = re.compile("[\ud800-\udfff]")
_BYTE: Final = 0xDC00
"""Python adds this to each byte of a name that is not UTF-8."""
LONGEST_SHOWN: Final = 200
"""Characters of somebody's text in a message."""


def is_whole(text: str) -> bool:
    """Whether UTF-8 can hold the text."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def whole(text: str) -> str:
    r"""The text with each half of a character written as its escape; a byte of a name that is not UTF-8, as `\xe9`."""
    return text if is_whole(text) else _HALF.sub(_escape, text)


def _escape(half: re.Match[str]) -> str:
    code = ord(half[0])
    return f"\\x{code - _BYTE:02x}" if "\udc80" <= half[0] <= "\udcff" else f"\\u{code:04x}"


def shortened(text: str) -> str:
    """The text for a message: the beginning of a long one."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def clamped(number: int) -> int:
    """The number, or the nearest that 64 bits hold."""
    return min(max(number, SMALLEST), LARGEST)


def plain(value: Any) -> Any:
    """Lists, tables, texts and numbers with everything in them as JSON in UTF-8 with numbers of 64 bits can hold it."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, int):
        return value if isinstance(value, bool) else clamped(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {plain(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple | set | frozenset) else value
