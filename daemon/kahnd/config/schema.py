"""What config/ must be told of a renderer to validate its rules; the composition root tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import Struct


def _no_objections(_parameters: Any) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class RendererSchema:
    """One renderer's part of a rule.

    `parameters` has a field for each key; `output` is the pattern for a rule that gives none ("": every rule must
    give one); `check` objects to what types can't tell, in sentences that quote a key or a value `so`.
    """

    parameters: type[Struct]
    output: str = ""
    check: Callable[[Any], Iterable[str]] = _no_objections
