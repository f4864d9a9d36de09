"""Outputs that nothing stands for any more and that can't be removed for now."""

from __future__ import annotations

from collections.abc import Callable

from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, OutputPath
from kahnd.ports import Outputs


class Leftovers:
    """Removes outputs. What can't be is told once, and tried again until it is gone or stands for something again."""

    def __init__(self, graph: Graph, outputs: Outputs, say: Callable[..., None]) -> None:
        self._graph = graph
        self._outputs = outputs
        self._say = say
        self._stuck: set[OutputPath] = set()

    def remove(self, output: OutputPath, document: DocumentId | None) -> None:
        """Remove an output, now or later; the document that it was made of is not always known."""
        problem = self._outputs.remove(output)
        if problem:
            self._stuck.add(output)
            self._say("output.stuck", document=document, output=output, error=str(problem))
        else:
            self._stuck.discard(output)

    def try_again(self) -> None:
        """Once more for all that is left: nothing tells when a file system can be written to again."""
        if not self._stuck:
            return
        wanted = self._graph.outputs()
        for output in sorted(self._stuck - wanted):
            if self._outputs.remove(output) is None:
                self._stuck.discard(output)
