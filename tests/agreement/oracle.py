"""The right state of a project, evaluated from scratch: without memory, order, or any of kahnd's own code.

A document is DONE if everything its rendering really reads exists and is DONE, and nothing fails. A plain document is
read as its text says, except for conditional includes: only the documents that render it can decide those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agreement.configuration import Way
from agreement.facets import FACETS, NotDoneError
from agreement.language import Document, Text, Tree
from agreement.names import OF_CONTENT, Generated, Names, Reference, document_of, placed
from agreement.rendering import Reading

Kept = Mapping[str, Mapping[str, Document]]
"""What documents have declared last: for each, the documents by path."""
NOTHING_KEPT: Final[Kept] = {}
ROUNDS: Final = 12


def _uses_plugin(way: Way) -> bool:
    return way.hooks or way.renderer == "python"


def evaluate(tree: Tree, kept: Kept = NOTHING_KEPT) -> Evaluation:
    """Evaluates, adds what is declared, and evaluates again until nothing changes.

    `kept`: what documents have declared last; those that are not done, and that a rule still renders, declare that.
    """
    generated: Generated = {}
    for _ in range(ROUNDS):
        now = Evaluation(tree, generated)
        broken = {each for each in now.claims if each not in now.made}
        declares = {each: documents for each, documents in kept.items() if each in broken} | now.declares
        after = {path: (each, document) for each, documents in declares.items() for path, document in documents.items()}
        if after == generated:
            return now
        generated = after
    raise AssertionError(f"what is declared does not settle: {generated}")


class Evaluation(Names):
    """The documents that are `done`, the `outputs` by path, and each rendering's `inputs`, in full and not hashed."""

    def __init__(self, tree: Tree, generated: Generated) -> None:
        super().__init__(tree, generated)
        self.made: dict[str, str] = {}
        self.declares: dict[str, dict[str, Document]] = {}
        """The documents that each document declares which is done, if any."""
        self.warnings: set[tuple[str, str, int]] = set()
        """The warnings of plug-ins: document, message and line."""
        self._files: dict[str, dict[str, str]] = {}
        self._done: dict[str, bool] = {}
        self._reads: dict[str, frozenset[Reference]] = {}
        self._open: list[str] = []
        self.done = {path for path in sorted(self.present) if all([*map(self.is_done, self.renderings_of(path))])}
        self.outputs = {file: text for path in self.made for file, text in self.files_of(path).items()}
        self.inputs = {path: self._inputs(path) for path in self.made}

    def files_of(self, path: str) -> dict[str, str]:
        """Returns the outputs of a document that is done, by their paths."""
        return {placed(claim, text): text for claim, text in self.texts_of(path).items()}

    def texts_of(self, path: str) -> dict[str, str]:
        """Returns the outputs of a document that is done, by their paths as rules have them."""
        return self._files.get(path) or {self.claims[path]: self.made[path]}

    def is_done(self, path: str) -> bool:
        """Returns whether a document is done; False while it is being evaluated itself."""
        if path not in self._done:
            self._done[path] = False
            self._done[path] = self._comes_to_its_end(path)
        return self._done[path]

    def _comes_to_its_end(self, path: str) -> bool:
        declarer, _ = self.generated.get(document_of(path), ("", None))
        if declarer and not self.is_done(declarer):
            return False
        if path not in self.claims:
            needs = [each.target for each in self.static(path, certain=True) if each.aspect not in OF_CONTENT]
            return all(self.is_done(each) for each in needs if document_of(each) in self.present)
        reading = Reading(self, path)
        try:
            text = reading.produce()
        except NotDoneError:
            return False
        self.made[path] = text
        self.warnings |= {(document_of(path), message, line) for message, line in reading.warnings}
        self._files[path] = reading.files
        if reading.declares:
            self.declares[path] = reading.declares
        self._reads[path] = frozenset(reading.reads)
        return True

    # The inputs of a rendering

    def _inputs(self, path: str) -> object:
        document = document_of(path)
        return self._recipe(path), self.source_of(document), self._all_that_bears(self._reads[path], document)

    def _recipe(self, path: str) -> object:
        rule = self.rule_of(path)
        way = msgspec.structs.replace(rule.of, match="") if rule else None
        tool = self.tree.plugin.tool if way and way.tool else None
        plugin: object = (self.tree.plugin.word, self.tree.plugin.broken) if way and _uses_plugin(way) else None
        plugin = self.tree.plugin.word if way and way.filters and not plugin else plugin
        return way, self.claims_of(path), plugin, tool

    def _all_that_bears(self, references: Iterable[Reference], reader: str) -> object:
        return frozenset((each, self._bears(each, reader)) for each in references)

    def _bears(self, reference: Reference, reader: str) -> object:  # noqa: C901, PLR0911 - a line an aspect
        aspect, target = reference.aspect, reference.target
        if aspect == "members":
            return tuple(self.members(target, reader))
        if aspect == "link":
            return target in self.present, self.public(target), self._makers_of_place(target)
        if aspect == "place":
            return self.makers_of(target)
        if document_of(target) not in self.present:
            return None
        if aspect == "page":
            return True
        if aspect in FACETS:
            return self._facet(aspect, target)
        if aspect.startswith("anchor "):
            return self._anchor(aspect.removeprefix("anchor "), target)
        if aspect == "source":
            return self.source_of(target), self.claims.get(target)
        if aspect == "url":
            return self.public(target)
        if aspect == "renderings":  # any of them may come to be the one that is named
            return tuple(tuple(self.claims_of(each)) for each in self.renderings_of(target))
        if target not in self.claims:
            return self._effective(target)
        if aspect in {"include", "template", "data"}:
            return self.source_of(target), self.is_written_as_page(target)
        return self._bears_rendered(aspect, target)

    def _bears_rendered(self, aspect: str, target: str) -> object:
        """Returns what a rendered document contributes: one output by its path, or all."""
        texts = self.texts_of(target) if target in self.made else {}
        every = tuple(sorted(self.files_of(target).items())) if texts else ()
        kind, _, path = aspect.rpartition(" ")
        if kind == "output text":
            return texts.get(path)
        if kind == "output url":
            return self.public(target), path in texts and placed(path, texts[path])
        if aspect == "discovered":
            return self.source_of(target), every
        return every, self.claims[target]

    def _makers_of_place(self, target: str) -> object:
        """Returns the documents that render to the place of a source in the output folder, where browsers look."""
        place = f"{self.tree.config.output}/{target.partition('/')[2]}"
        return frozenset(each for each, claim in self.claims.items() if claim in {place, f"{place}/index.html"})

    def _facet(self, facet: str, target: str) -> object:
        """Returns a part of a document: all of it if it is broken or not written as a page."""
        document = self.tree.documents[target]
        broken = isinstance(document, Text) and document.broken in {"unclosed", "yaml"}
        whole = broken or not self.is_written_as_page(target)
        return self.source_of(target) if whole else FACETS[facet](target, document)

    def _anchor(self, part: str, target: str) -> object:
        """Returns True if a page has a heading, or else all of them, among which a similar one is looked for."""
        found, rule = self._facet("anchors", target), self.rule_of(target)
        if not isinstance(found, tuple):
            return found
        headings, is_template, _ = found
        return (part in headings and not (is_template and (rule is None or rule.of.templating))) or found

    def _effective(self, plain: str) -> object:
        """Returns what a plain document contributes. In a conditional cycle, each text counts once."""
        if plain in self._open:
            return None
        self._open.append(plain)
        ordering = (each for each in self.static(plain) if each.aspect not in OF_CONTENT)
        effective = self.source_of(plain), self.is_written_as_page(plain), self._all_that_bears(ordering, plain)
        self._open.pop()
        return effective
