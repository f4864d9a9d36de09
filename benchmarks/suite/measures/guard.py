"""Keeps a tool that is absent or fails from ending the others' measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from suite.figures import Figure
from suite.file_changes import ImpossibleError, WrongError
from suite.tools.tool import Tool

FAULT: Final = "fault"
ABSENT: Final = "absence"


def guarded(measure: Callable[[], Iterator[Figure]], tool: Tool, corpus: str, documents: int) -> Iterator[Figure]:
    """Yields the measurements; a figure with the reason in place of those that could not be taken."""
    if reason := tool.absent():
        yield Figure(ABSENT, corpus, documents, tool.name, "s", absent=reason)
        return
    try:
        yield from measure()
    except ImpossibleError as error:
        yield Figure(ABSENT, corpus, documents, tool.name, "s", absent=str(error))
    except (WrongError, OSError) as error:
        yield Figure(FAULT, corpus, documents, tool.name, "s", absent=str(error))
