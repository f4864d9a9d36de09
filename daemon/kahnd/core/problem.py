"""Problem: a message to the user, about a failure or as a warning.

In a module of its own because every command loads it, and has to start fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from kahnd.core.text import escape_surrogates

MAX_WARNINGS: Final = 200
"""The limit on the warnings that are kept of a document; one more says how many are left out."""
MAX_WARNING: Final = 300
"""The limit on the characters of a warning's message, and of its remedy."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem: its message, place (lines and columns from 1; 0: unknown) and remedy.

    `detail` is a renderer's own output.

    `passing`: the machine is at fault (a full disk, too little memory), and it may recover without an event; whatever
    fails by such a problem is tried again.
    """

    message: str
    file: str = ""
    line: int = 0
    remedy: str = ""
    detail: str = ""
    passing: bool = False
    column: int = 0

    def __post_init__(self) -> None:
        """Escapes lone surrogates, which neither the database nor the log nor the socket can hold."""
        for name in ("message", "file", "remedy", "detail"):
            text = getattr(self, name)
            if not text.isascii():
                object.__setattr__(self, name, escape_surrogates(text))

    def __str__(self) -> str:
        place = ":".join(map(str, filter(None, (self.file, self.line, self.line and self.column))))
        return (f"{place}: " if self.file else "") + self.message + (f" ({self.remedy})" if self.remedy else "")


def kept_warnings(warnings: Sequence[Problem]) -> tuple[Problem, ...]:
    """Returns the warnings of a rendering as they are kept: so many, and each so long; one may tell of others."""
    return tuple(
        replace(each, message=_cut(each.message), remedy=_cut(each.remedy), detail="")
        for each in warnings[: MAX_WARNINGS + 1]
    )


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WARNING else f"{text[:MAX_WARNING]}…"
