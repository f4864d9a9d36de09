"""What a user is told. By itself, since every command needs it, and starts fast."""

from __future__ import annotations

from dataclasses import dataclass

from kahnd.core.text import whole


@dataclass(frozen=True, slots=True)
class Problem:
    """What a user is told: what happened, where, and what to do. `detail` is a renderer's own output.

    `passing`: it is of the machine's making, and may be mended without a word; what fails by it is tried again.
    """

    message: str
    file: str = ""
    line: int = 0
    remedy: str = ""
    detail: str = ""
    passing: bool = False

    def __post_init__(self) -> None:
        """It goes to the database, the log and the socket, none of which can hold half a character."""
        for name in ("message", "file", "remedy", "detail"):
            text = getattr(self, name)
            if not text.isascii():
                object.__setattr__(self, name, whole(text))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.message}" + (f" ({self.remedy})" if self.remedy else "")
