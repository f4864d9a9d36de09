"""Rendering that goes round: a program that writes into the source it is run for, or into one whose program does.

Every change has a way: the renderings amid which it, and what these were run for, was written. What somebody saves has
none. The same document many times on one way is either such a round, or somebody who saves often while renderings take
long; and so it is let rest: who saves will mostly do so meanwhile, and a program that is not run can't.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from kahnd.core.model import DocumentId, Problem

FREE: Final = 3
"""So many times it is rendered at once."""
LIMIT: Final = 6
"""So many times, and it is a round."""
LONGEST: Final = 64
"""A way of so many steps is a round, too, if every time through a new document."""


class Step(NamedTuple):
    """A document was written while another (or it itself) was rendered."""

    document: DocumentId
    amid: DocumentId


_Way = tuple[Step, ...]
Amid = Mapping[DocumentId, Collection[DocumentId]]
"""Of documents that were written, which were being rendered then."""
NOBODY: Final[Amid] = {}


class Rounds:
    """Knows the way of each document's latest change, where it has one."""

    def __init__(self) -> None:
        self._ways: dict[DocumentId, _Way] = {}
        self._rested: dict[DocumentId, _Way] = {}
        self._asked: deque[tuple[_Way, frozenset[DocumentId]]] = deque()

    def changed(self, documents: Collection[DocumentId], amid: Amid) -> None:
        """These have other bytes, some of them `amid` renderings; the database is asked whom that reaches."""
        ways = {each: self._way(each, amid[each]) for each in documents if each in amid}
        for each in documents if self._ways else ():
            self._ways.pop(each, None)
        self._ways.update(ways)
        self._asked.append((max(ways.values(), key=len, default=()), frozenset(documents)))

    def reached(self, documents: Iterable[DocumentId]) -> None:
        """The database's answer: these are to be rendered because of that."""
        way, changed = self._asked.popleft() if self._asked else ((), frozenset[DocumentId]())
        others = [each for each in documents if each not in changed] if way or self._ways else ()
        for each in others:
            self._ways.pop(each, None)
        if way:
            self._ways.update(dict.fromkeys(others, way))

    def is_suspect(self, documents: Iterable[DocumentId]) -> bool:
        """Whether any of these was written amid a rendering."""
        return bool(self._ways) and any(each in self._ways for each in documents)

    def has_to_rest(self, document: DocumentId) -> bool:
        """Whether it is to be let rest before it is rendered once more; said once of each change."""
        way = self._ways.get(document, ())
        if _times(way) < FREE or self._rested.get(document) == way:
            return False
        self._rested[document] = way
        return True

    def endless(self, document: DocumentId) -> Problem | None:
        """Why it is not rendered any more, until somebody else saves it."""
        way = self._ways.get(document, ())
        return _problem(document, way) if _times(way) >= LIMIT else None

    def forgive(self, document: DocumentId) -> None:
        """Somebody wants it tried again: once."""
        way = self._ways.get(document, ())
        while _times(way) >= LIMIT:
            way = way[1:]
        if way:
            self._ways[document] = self._rested[document] = way

    def _way(self, document: DocumentId, amid: Collection[DocumentId]) -> _Way:
        by = document if document in amid else max(sorted(amid), key=lambda each: _times(self._ways.get(each, ())))
        return (*self._ways.get(by, ()), Step(document, by))[-LONGEST:]


def _times(way: _Way) -> int:
    """How often the document that is there most often is there."""
    if not way:
        return 0
    most = Counter(each.document for each in way).most_common(1)[0][1]
    return LIMIT if len(way) == LONGEST else most


def _problem(document: DocumentId, way: _Way) -> Problem:
    remedy = "let the command write to {output} alone, then save the document"
    if all(each == (document, document) for each in way):
        message = f"changed while it was rendered, {len(way)} times in a row: its command writes into its own source"
        return Problem(message, document, remedy=remedy)
    steps = dict.fromkeys(reversed(way))
    last = list(steps)[: LIMIT // 2]
    who = ", and ".join(f"the command of {each.amid} writes into {_itself(each)}" for each in reversed(last))
    return Problem(f"is rendered again and again: {who}", document, remedy=remedy)


def _itself(step: Step) -> str:
    return "its own source" if step.document == step.amid else step.document
