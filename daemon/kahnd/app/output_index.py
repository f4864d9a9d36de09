"""Tells what is at an output path: the document that makes it, the hash of its bytes, and what is wrong with it.

Paths are relative to the output folder, as in a browser's address: `posts/first/index.html`. All is read from the graph
of the session at hand; between two sessions nothing is known.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from kahnd.app.current_session import CurrentSession
from kahnd.core.blame import Failure, failure_of
from kahnd.core.graph import Graph
from kahnd.core.model import Digest, DocumentId, OutputPath, Problem, Status
from kahnd.core.nodes import Node
from kahnd.core.output_paths import HASH, files_of
from kahnd.core.renderings import document_of

MAX_COMPARED: Final = 300
"""The number of paths that are compared to one that does not exist; comparing takes some microseconds for each."""
_SIMILAR: Final = 0.6
"""The least similarity of a near path, from 0 to 1: the usual one of `difflib`."""


@dataclass(frozen=True, slots=True)
class FoundOutput:
    """An output: its path, the document that makes it, and the document's state.

    `digest`: the hash of the published bytes; None if nothing has been published there yet. `problem`: why the document
    is FAILED or BLOCKED, with the culprit in `because`.
    """

    document: DocumentId
    path: str
    digest: Digest | None
    status: Status
    problem: Problem | None = None
    because: DocumentId | None = None


class OutputIndex:
    """Finds outputs by path and by document. Its cost does not grow with the project, except for that of `near`."""

    def __init__(self, sessions: CurrentSession) -> None:
        self._sessions = sessions

    @property
    def is_open(self) -> bool:
        """Tells whether anything is known: there is a session."""
        return self._sessions.session is not None

    async def opened(self) -> None:
        """Returns once something is known."""
        await self._sessions.opened()

    @property
    def folder(self) -> Path | None:
        """The output folder; None between two sessions."""
        session = self._sessions.session
        return session.project.root / session.project.layout.output if session else None

    def find(self, path: str) -> FoundOutput | None:
        """Returns what is at a path; None if no document makes it, or made it when it was rendered last."""
        session = self._sessions.session
        if session is None or not path:
            return None
        graph = session.engine.machine.graph
        output = OutputPath(f"{graph.layout.output}/{path}")
        known = [found for node in graph.published_at(output) if (found := _found(graph, node, output))]
        return next((each for each in known if each.digest), known[0] if known else None)

    def failure_at(self, path: str) -> Failure | None:
        """Returns why what belongs at a path could not be rendered; None if it could, or nothing is known."""
        session, found = self._sessions.session, self.find(path)
        if session is None or found is None:
            return None
        graph = session.engine.machine.graph
        nodes = graph.published_at(OutputPath(f"{graph.layout.output}/{path}"))
        failures = (failure_of(graph, node) for node in nodes if node.document == found.document)
        return next((each for each in failures if each), None)

    def document_of(self, path: str) -> DocumentId | None:
        """Returns the document that makes an output."""
        found = self.find(path)
        return found.document if found else None

    def of_document(self, document: str) -> tuple[FoundOutput, ...]:
        """Returns the outputs of a document, those of its own rule first; none if it is unknown or plain."""
        session = self._sessions.session
        if session is None:
            return ()
        graph = session.engine.machine.graph
        paths = ((node, path) for node in graph.renderings(DocumentId(document)) for path in _paths(node))
        found = (_found(graph, *each) for each in paths)
        return tuple(each for each in found if each)

    def near(self, path: str, limit: int) -> tuple[str, ...]:
        """Returns existing output paths like one that does not exist, the nearest first.

        Looks through the names of all outputs, and compares at most `MAX_COMPARED` of them.
        """
        session = self._sessions.session
        if session is None:
            return ()
        graph = session.engine.machine.graph
        start = len(graph.layout.output) + 1
        folder, _, name = path.removesuffix("/index.html").rpartition("/")
        paths = (each[start:] for each in graph.claims() if not each.endswith("/") and HASH not in each)
        likely = (each for each in paths if (name and name[:3] in each) or (folder and each.startswith(f"{folder}/")))
        return tuple(difflib.get_close_matches(path, islice(likely, MAX_COMPARED), limit, _SIMILAR))


def _found(graph: Graph, node: Node, output: OutputPath) -> FoundOutput | None:
    facts = node.facts
    digest = next((digest for path, digest in files_of(facts) if path == output), None)
    if digest is None and facts.status is Status.DONE:  # of a folder that it fills, it is rendered without this file
        return None
    path = output[len(graph.layout.output) + 1 :]
    because = facts.because and document_of(facts.because)
    return FoundOutput(node.document, path, digest, facts.status, facts.problem, because)


def _paths(node: Node) -> Iterator[OutputPath]:
    """Yields the files that a rendering has published, and those that it claims."""
    published = dict.fromkeys(path for path, _ in files_of(node.facts))
    yield from published
    yield from (each for each in node.claims if each not in published and not each.endswith("/") and HASH not in each)
