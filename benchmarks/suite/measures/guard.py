"""One tool that is absent or goes wrong does not end the others' measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from suite.figures import Figure
from suite.look import ImpossibleError, WrongError
from suite.tools.tool import Tool

FAULT: Final = "fault"
ABSENT: Final = "absence"


def guarded(measure: Callable[[], Iterator[Figure]], tool: Tool, corpus: str, documents: int) -> Iterator[Figure]:
    """The measurements; in the place of what could not be measured, a figure that says why."""
    if reason := tool.absent():
        yield Figure(ABSENT, corpus, documents, tool.name, "s", absent=reason)
        return
    try:
        yield from measure()
    except ImpossibleError as error:
        yield Figure(ABSENT, corpus, documents, tool.name, "s", absent=str(error))
    except (WrongError, OSError) as error:
        yield Figure(FAULT, corpus, documents, tool.name, "s", absent=str(error))
