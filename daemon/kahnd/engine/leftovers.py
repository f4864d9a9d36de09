"""Outputs that nothing stands for any more and that can't be removed for now."""

from __future__ import annotations

from collections.abc import Callable

from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, OutputPath
from kahnd.ports import Outputs


class Leftovers:
    """Removes outputs. What is kept is told once.

    What can't be removed for now is tried again until it is gone, or stands for something again.
    """

    def __init__(self, graph: Graph, outputs: Outputs, say: Callable[..., None]) -> None:
        self._graph = graph
        self._outputs = outputs
        self._say = say
        self._stuck: set[OutputPath] = set()

    def remove(self, output: OutputPath, document: DocumentId | None) -> bool:
        """Remove an output, now or later; whether it is gone. The document that it was made of is not always known."""
        made, problem = self._outputs.is_made(output), self._outputs.remove(output)
        if problem is None:
            self._stuck.discard(output)
            return made
        if self._outputs.is_made(output):  # otherwise it is kept for good
            self._stuck.add(output)
        self._say("output.stuck", document=document, output=output, error=str(problem))
        return False

    def try_again(self) -> None:
        """Once more for all that is left: nothing tells when a file system can be written to again."""
        if not self._stuck:
            return
        wanted = self._graph.outputs()
        for output in sorted(self._stuck - wanted):
            if self._outputs.remove(output) is None:
                self._stuck.discard(output)
