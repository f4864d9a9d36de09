"""What a project must come to, evaluated from scratch: no memory, no order, nothing of kahnd's own code.

A document is DONE if all that its rendering really reads is there and DONE, and nothing goes wrong. A plain document
is read as its text says, but for what it includes on a condition: that is for those to judge who render it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agreement.facets import FACETS, NotDoneError
from agreement.language import Text, Tree
from agreement.names import OF_CONTENT, Names, Reference
from agreement.reading import Reading


class Evaluation(Names):
    """`done`, the `outputs` by path, and all that each rendering hangs on (`inputs`), spelt out instead of hashed."""

    def __init__(self, tree: Tree) -> None:
        super().__init__(tree)
        self.made: dict[str, str] = {}
        self._done: dict[str, bool] = {}
        self._reads: dict[str, frozenset[Reference]] = {}
        self._open: list[str] = []
        self.done = {path for path in sorted(self.present) if self.is_done(path)}
        self.outputs = {self.claims[path]: text for path, text in self.made.items()}
        self.inputs = {path: self._inputs(path) for path in self.made}

    def is_done(self, path: str) -> bool:
        """Whether a document comes to its end; False for one that is asked about while it is being made."""
        if path not in self._done:
            self._done[path] = False
            self._done[path] = self._comes_to_its_end(path)
        return self._done[path]

    def _comes_to_its_end(self, path: str) -> bool:
        if path not in self.claims:
            needs = [each.target for each in self.static(path, certain=True) if each.aspect not in OF_CONTENT]
            return all(self.is_done(each) for each in needs if each in self.present)
        reading = Reading(self, path)
        try:
            text = reading.produce()
        except NotDoneError:
            return False
        self.made[path] = text
        self._reads[path] = frozenset(reading.reads)
        return True

    # What a rendering hangs on

    def _inputs(self, path: str) -> object:
        return self._recipe(path), self.source_of(path), self._all_that_bears(self._reads[path])

    def _recipe(self, path: str) -> object:
        rule = self.rule_of(path)
        way = msgspec.structs.replace(rule.of, match="") if rule else None
        tool = self.tree.plugin.tool if way and way.tool else None
        plugin = (self.tree.plugin.word, self.tree.plugin.broken) if way and way.renderer == "python" else None
        return way, self.claims[path], plugin, tool

    def _all_that_bears(self, references: Iterable[Reference]) -> object:
        return frozenset((each, self._bears(each)) for each in references)

    def _bears(self, reference: Reference) -> object:  # noqa: PLR0911 - a line an aspect
        aspect, target = reference.aspect, reference.target
        if aspect == "members":
            return tuple(self.members(target))
        if target not in self.present:
            return None
        if aspect == "page":
            return True
        if aspect in FACETS:
            return self._facet(aspect, target)
        if aspect in {"url", "output url"}:
            return self.claims.get(target)
        if target not in self.claims:
            return self._effective(target)
        if aspect in {"include", "template", "data"}:
            return self.source_of(target), self.is_written_as_page(target)
        if aspect == "discovered":
            return self.source_of(target), self.made.get(target)
        return self.made.get(target), aspect == "output text" or self.claims[target]

    def _facet(self, facet: str, target: str) -> object:
        """What is not written as a page, or is broken, has no parts."""
        document = self.tree.documents[target]
        broken = isinstance(document, Text) and document.broken in {"unclosed", "yaml"}
        whole = broken or not self.is_written_as_page(target)
        return self.source_of(target) if whole else FACETS[facet](target, document)

    def _effective(self, plain: str) -> object:
        """Of what goes round on a condition, each text counts once."""
        if plain in self._open:
            return None
        self._open.append(plain)
        ordering = (each for each in self.static(plain) if each.aspect not in OF_CONTENT)
        effective = self.source_of(plain), self.is_written_as_page(plain), self._all_that_bears(ordering)
        self._open.pop()
        return effective
