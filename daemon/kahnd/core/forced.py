"""What is to be rendered even if its inputs are those of its last render."""

from __future__ import annotations

from collections.abc import Iterable

from kahnd.core.graph import Node
from kahnd.core.model import DocumentId


class Forced:
    """Documents whose output is spoilt, and those that somebody asked for by force: these only while somebody does."""

    def __init__(self) -> None:
        self.spoilt: set[DocumentId] = set()
        self._asked: set[DocumentId] = set()

    def __contains__(self, document: object) -> bool:
        return document in self.spoilt or document in self._asked

    def spoil(self, nodes: Iterable[Node]) -> None:
        """Their outputs are gone, or altered."""
        self.spoilt.update(node.facts.id for node in nodes)

    def ask(self, nodes: Iterable[Node]) -> None:
        """Somebody wants them rendered, whatever their inputs."""
        self._asked.update(node.facts.id for node in nodes)

    def give_up(self) -> None:
        """Nobody does any more: those that were not rendered yet are decided on by their inputs."""
        self._asked.clear()

    def made(self, document: DocumentId) -> None:
        """It is rendered."""
        self.spoilt.discard(document)
        self._asked.discard(document)
