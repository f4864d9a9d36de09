"""The answers of `kahnd doctor`: one `Check` for each thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `remedy` says what to do where it is not as it should be."""

    name: str
    state: State
    message: str
    remedy: str = ""
