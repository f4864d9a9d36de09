"""Short constructors of documents, edges and changes for the tests of stores."""

from __future__ import annotations

from kahnd.core.model import Change, Dependency, Digest, DocumentId, Edges, Facts, Kind, Result, Status


def ids(text: str) -> tuple[DocumentId, ...]:
    """Documents by name, between spaces."""
    return tuple(map(DocumentId, text.split()))


def needs(text: str) -> tuple[Dependency, ...]:
    """Dependencies as `target` (an include) or `target:kind`."""
    pairs = (each.partition(":") for each in text.split())
    return tuple(Dependency(DocumentId(target), Kind(kind or "include")) for target, _, kind in pairs)


def facts(document: str, status: Status = Status.DIRTY, content: str = "1") -> Facts:
    return Facts(DocumentId(document), status, content_hash=Digest(content * 32))


def changed(document: str, add: str = "", drop: str = "", *, content: bool = True, linked: bool = True) -> Change:
    """A document with new bytes, and other anchors."""
    return Change(facts(document), Edges(needs(add), ids(drop)), content=content, linked=linked)


def missing(document: str) -> Change:
    return Change(Facts(DocumentId(document), Status.MISSING))


def forgotten(document: str) -> Change:
    return Change(Facts(DocumentId(document), Status.MISSING), forget=True)


def done(document: str, add: str = "", drop: str = "") -> Result:
    return Result(facts(document, Status.DONE), Edges(needs(add), ids(drop)))
