r"""Makes text and numbers safe to store and to show.

The database, the log and the socket hold UTF-8 and 64-bit numbers. Python strings can hold lone surrogates (from a
JSON or YAML escape such as `\ud83d`, or from a file name that is not UTF-8), and its integers are unbounded. Terminals
obey control characters.

Names may look the same and differ: by composed or decomposed accents (Unicode's NFC and NFD), or by case. File systems
of macOS and Windows find a file by either spelling, those of Linux only by the exact one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

_CREATE_OR_CORRECT: Final = "create it, or correct the path"
SMALLEST: Final = -(1 << 63)
LARGEST: Final = (1 << 63) - 1
LONGEST_SHOWN: Final = 200
"""Characters of a user's text in a message."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_BYTE: Final = 0xDC00
"""Python adds this to each byte of a file name that is not UTF-8 (PEP 383)."""
_CONTROLS: Final = "\x00-\x1f\x7f-\x9f"
_BIDIRECTIONAL: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Characters that change the order in which a terminal shows what follows (Unicode's Bidi_Control)."""
_LINE_SEPARATORS: Final = "\u2028\u2029"
_SURROGATES: Final = "\ud800-\udfff"
_UNSAFE: Final = re.compile(f"[{_CONTROLS}{_BIDIRECTIONAL}{_LINE_SEPARATORS}{_SURROGATES}]")
_END_OF_LINE: Final = re.compile(r"\r\n|\n")


def is_encodable(text: str) -> bool:
    """Tells whether UTF-8 can hold the text."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def escape_surrogates(text: str) -> str:
    r"""Returns the text with each lone surrogate escaped; one that stands for a byte of a file name becomes `\xe9`."""
    return text if is_encodable(text) else _SURROGATE.sub(_escape_surrogate, text)


def escape_controls(text: str) -> str:
    r"""Returns the text as one line, with each character that controls a terminal escaped: `\n`, `\x1b`, `\u202e`."""
    return _UNSAFE.sub(_escape_control, text)


def escape_lines(text: str) -> list[str]:
    """Returns the lines of a program's output, each escaped except for its tabs, which only move the cursor."""
    lines = _END_OF_LINE.split(text.rstrip("\r\n"))
    return ["\t".join(map(escape_controls, line.split("\t"))) for line in lines] if text else []


def shortened(text: str) -> str:
    """Returns the text for a message, cut if it is long."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def clamped(number: int) -> int:
    """Returns the number, or the nearest one that 64 bits hold."""
    return min(max(number, SMALLEST), LARGEST)


def json_safe(value: Any) -> Any:
    """Returns nested lists, tables, texts and numbers as JSON in UTF-8 with 64-bit numbers can hold them."""
    if isinstance(value, str):
        return escape_surrogates(value)
    if isinstance(value, int):
        return value if isinstance(value, bool) else clamped(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {json_safe(key): json_safe(each) for key, each in value.items()}
    return [json_safe(each) for each in value] if isinstance(value, list | tuple | set | frozenset) else value


def _escape_surrogate(surrogate: re.Match[str]) -> str:
    code = ord(surrogate[0])
    return f"\\x{code - _BYTE:02x}" if "\udc80" <= surrogate[0] <= "\udcff" else f"\\u{code:04x}"


def _escape_control(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()


def look_alike_key(name: str) -> str:
    """Returns the same text for all names that look the same."""
    if name.isascii():  # nearly all are
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class SimilarNames:
    """An index of names by their looks."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_look: dict[str, list[str]] = {}
        for each in names:
            self.add(each)

    def add(self, name: str) -> None:
        """Adds a name, for good."""
        self._by_look.setdefault(look_alike_key(name), []).append(name)

    def of(self, name: str) -> Sequence[str]:
        """Returns all names that look like this one."""
        return self._by_look.get(look_alike_key(name), ())


def find_similar(name: str, names: Iterable[str]) -> str | None:
    """Returns another name that looks the same, preferably with the same case; None if there is none."""
    wanted = look_alike_key(name)
    similar = sorted(each for each in names if each != name and look_alike_key(each) == wanted)
    return min(similar, key=lambda each: not _composes_alike(each, name), default=None)


def similar_name_remedy(name: str, similar: str | None, default: str = _CREATE_OR_CORRECT) -> str:
    """Says how to correct a reference to a missing file; `similar` is an existing one that looks the same, if any."""
    if similar is None:
        return default
    if _composes_alike(name, similar):
        return f"there is {similar}, spelled with other characters that look the same (NFC and NFD): use the same ones"
    return f"there is {similar}, which differs by case: write it in the same way"


def _composes_alike(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
