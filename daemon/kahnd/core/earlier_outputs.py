"""Outputs that the journal names and the facts of no document do: the database was lost, or a session has crashed.

A document keeps its last good outputs although it can't be rendered now, and although only the journal knows of them.
An output that nothing renders to is removed, but only once all documents are known that may render to it:

- A generated document is unknown until its declarer has been rendered. So outputs stay until everything is decided on.
- A file with a hash in its path, or in a folder that a document fills, may be of the last good rendering. It stays
  until rendering that document shows whether it is.

The files of generated documents go at once: renderings would find them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from kahnd.core.graph import Graph
from kahnd.core.model import DocumentId, Facts, OutputPath, Status
from kahnd.core.output_paths import (
    HASH,
    HASH_LENGTH,
    files_of,
    folders_above,
    is_generated,
    is_of,
    published_files,
)

_HASHES: Final = re.compile(rf"(?=[0-9a-f]{{{HASH_LENGTH}}})")


class EarlierOutputs:
    """Owns the outputs in place that the facts of no document name."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._unrecorded: set[OutputPath] = set()
        self._folders: frozenset[str] = frozenset()
        """The folders that unrecorded outputs lay in at the start."""
        self._undecided: set[OutputPath] = set()
        """Those that nothing renders to, until everything is decided on."""
        self._kept: dict[DocumentId, list[OutputPath]] = {}
        """Those that a document may have made which is not rendered yet, by its rendering."""

    def begin(self, made: Iterable[OutputPath], removed: Collection[OutputPath]) -> list[OutputPath]:
        """Takes in the journal at a start, without what is `removed`; returns the outputs to remove now."""
        self._unrecorded = {*made} - {path for node in self._graph for path, _ in published_files(node.facts)}
        self._folders = frozenset(folder for each in self._unrecorded for folder in folders_above(each))
        unclaimed = self._unclaimed(self._unrecorded.difference(removed))
        generated = set(filter(is_generated, unclaimed))
        self._undecided = unclaimed - generated
        return sorted(generated)

    def decided(self) -> list[OutputPath]:
        """Returns the outputs to remove once nothing is scheduled; none while documents out of scope are DIRTY."""
        if not self._undecided or any(node.status is Status.DIRTY for node in self._graph):
            return []
        undecided, self._undecided = self._undecided & self._unrecorded, set()
        return sorted(self._unclaimed(undecided))

    def add(self, outputs: Iterable[OutputPath]) -> None:
        """Takes note of outputs that were put in place, and are not recorded yet."""
        self._unrecorded.update(outputs)

    def recorded(self, outputs: Iterable[OutputPath]) -> None:
        """Takes note of outputs that a document's facts name from now on."""
        self._unrecorded.difference_update(outputs)

    def of_claims(self, facts: Facts, claims: Collection[OutputPath]) -> list[OutputPath]:
        """Returns those at the paths that a document claimed, and that no other claims."""
        found = {each for each in self._unrecorded if any(is_of(claim, each) for claim in claims)} if claims else set()
        gone = found.difference(path for path, _ in files_of(facts))
        return [each for each in sorted(gone) if {*self._graph.makers(each)} <= {facts.id}]

    def in_the_way(self, outputs: Iterable[OutputPath]) -> list[OutputPath]:
        """Returns those that these outputs can't be put in place beside."""
        if not self._folders:
            return []
        return sorted({found for each in outputs for found in self._beside(each)})

    def replaced(self, document: DocumentId, outputs: Collection[OutputPath]) -> list[OutputPath]:
        """Returns those of a document's last good rendering that are none of these: they have been put in place."""
        return [each for each in self._kept.pop(document, ()) if each not in outputs and each in self._unrecorded]

    def _unclaimed(self, outputs: Iterable[OutputPath]) -> set[OutputPath]:
        """Returns those of these that nothing renders to; those that a document may have made are noted."""
        unclaimed = {*outputs} - self._graph.outputs()
        for each in sorted(unclaimed):
            for document in self._possible_makers(each):
                self._kept.setdefault(document, []).append(each)
                unclaimed.discard(each)
        return unclaimed

    def _possible_makers(self, output: OutputPath) -> Iterator[DocumentId]:
        """Yields the documents without a last good rendering that may have made an output before."""
        graph = self._graph
        hashed = (
            f"{output[: at.start()]}{HASH}{output[at.start() + HASH_LENGTH :]}" for at in _HASHES.finditer(output)
        )
        for path in (output, *hashed):
            yield from (each for each in graph.makers(path) if graph[each].facts.output is None)

    def _beside(self, output: OutputPath) -> Iterator[OutputPath]:
        yield from (OutputPath(each) for each in folders_above(output) if each in self._unrecorded)
        if output in self._folders:
            yield from (each for each in self._unrecorded if each.startswith(f"{output}/"))
