"""Names that look the same, and are not: composed or decomposed accents (Unicode's NFC and NFD), and case.

A file system of macOS or Windows finds a file by either spelling, and one of Linux by its own alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Final

OTHERWISE: Final = "create it, or correct the path"


def key(name: str) -> str:
    """The same for all names that differ in these ways only."""
    if name.isascii():  # as nearly all
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def twin(name: str, names: Iterable[str]) -> str | None:
    """The first of the names that differs from this one only in these ways; the nearer way goes first."""
    wanted = key(name)
    alike = sorted(each for each in names if each != name and key(each) == wanted)
    return min(alike, key=lambda each: not _composes_alike(each, name), default=None)


def remedy(name: str, found: str | None, otherwise: str = OTHERWISE) -> str:
    """What to do about a reference to what is not there, where `found` is its twin."""
    if found is None:
        return otherwise
    if _composes_alike(name, found):
        return f"there is {found}, spelled with other characters that look the same (NFC and NFD): use the same ones"
    return f"there is {found}, which differs by case: write it in the same way"


def _composes_alike(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
