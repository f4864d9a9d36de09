"""Checks that the outputs are right, and that nothing was rendered unnecessarily."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from agreement.language import PAGES, Document, IncludeIf, IncludeNamed, Script, Text, Tree, source
from agreement.names import stands_for
from agreement.oracle import Evaluation, evaluate
from agreement.steps import ALTERED

Report = Mapping[str, Any]
Rendered = Sequence[tuple[str, str]]
"""The document and the first output of each rendering."""


class Files(NamedTuple):
    """The outputs, and the generated documents, by path."""

    outputs: dict[str, bytes]
    generated: dict[str, bytes]


class Built(NamedTuple):
    """The report of a build, and its outputs by path."""

    report: Report
    outputs: dict[str, bytes]


_NONE: Final = "nothing"
_OF_LINKS: Final = {
    "link": re.compile(r"the link to (.*) leads nowhere"),
    "wiki": re.compile(r"there is no page for \[\[(.*)\]\]"),
    "wikis": re.compile(r"\[\[(.*)\]\] may be "),
}


@dataclass
class Checker:
    """Remembers each document's last good rendering from one check to the next.

    `known` has its inputs, `places` the possible paths of its output, and `good` its certain outputs.
    """

    known: dict[str, object] = field(default_factory=dict)
    places: dict[str, set[str]] = field(default_factory=dict)
    good: dict[str, dict[str, bytes]] = field(default_factory=dict)
    kept: dict[str, Mapping[str, Document]] = field(default_factory=dict)
    """What each document has declared last."""

    def forget(self) -> None:
        """Notes that the database is lost, so that anything may be rendered."""
        self.known.clear()
        self.kept.clear()

    def compare(
        self, moments: Sequence[Tree], spoilt: set[str], report: Report, rendered: Rendered, files: Files
    ) -> Evaluation:
        """Checks everything once all is rendered. `moments` are the states of the files since the last check."""
        seen = [evaluate(tree, self.kept) for tree in moments]
        self.kept, outputs = self._kept(seen, files.generated), files.outputs
        now = seen[-1] = evaluate(moments[-1], self.kept)
        _agree("generated documents", files.generated, {each: now.source_of(each).encode() for each in now.generated})
        strict = len(seen) == 1 and not spoilt
        self._remember_places(seen)
        compare_troubles(now, report)
        compare_warnings(now, report)
        self._compare_outputs(now, outputs)
        if strict:
            self._compare_last_good(now, outputs)
        self._compare_renderings(seen, spoilt, rendered)
        self._remember(now, strict=strict)
        return now

    def _kept(self, seen: list[Evaluation], generated: dict[str, bytes]) -> dict[str, Mapping[str, Document]]:
        """Returns what each document has declared last: of what it may have, that for which there are files."""
        now, found = seen[-1], {}
        for document in {*self.kept, *(each for evaluation in seen for each in evaluation.declares)}:
            options = [self.kept.get(document, {}), *(each.declares.get(document, {}) for each in seen)]
            options = [now.declares[document]] if document in now.declares else options
            places = {path for each in options for path in each}
            there = {path: generated[path] for path in places if path in generated}
            fitting = [
                each for each in options if {path: source(path, it).encode() for path, it in each.items()} == there
            ]
            assert fitting, f"{document} has declared none of what is there of {sorted(places)}: {there}"
            if fitting[0] and document in now.claims:
                found[document] = fitting[0]
        return found

    def _remember_places(self, seen: list[Evaluation]) -> None:
        for evaluation in seen:
            for document in evaluation.claims:
                self.places.setdefault(document, set()).update(evaluation.claims_of(document))

    def _compare_outputs(self, now: Evaluation, outputs: dict[str, bytes]) -> None:
        _agree("outputs", {path: outputs.get(path) for path in now.outputs}, _encoded(now.outputs))
        broken = now.claims.keys() - now.made.keys()
        last_good = {place for document in broken for place in self.places[document]}
        others = {
            path for path, content in outputs.items() if content == ALTERED.encode()
        }  # kahnd keeps files that others wrote
        strays = {
            path
            for path in outputs.keys() - now.outputs.keys() - others
            if not any(stands_for(path, claim) for claim in last_good)
        }
        assert not strays, f"outputs that no document stands for: {sorted(strays)}"

    def _compare_last_good(self, now: Evaluation, outputs: dict[str, bytes]) -> None:
        """Checks that a document that is no longer done has kept its output."""
        kept = {document: each for document, each in self.good.items() if document in now.claims}
        kept = {document: each for document, each in kept.items() if document not in now.made}
        for document, files in kept.items():
            claims = now.claims_of(document)
            claimed = (any(stands_for(place, claim) for claim in claims) for place in files)
            if all(claimed) and not now.is_contested(document):
                there = {place: outputs.get(place) for place in files}
                assert there == files, f"{document} has lost its last good output"

    def _compare_renderings(self, seen: list[Evaluation], spoilt: set[str], rendered: Rendered) -> None:
        for document, output in set(rendered):
            nodes = {each for evaluation in seen for each in _makers(evaluation, document, output)} or {document}
            reasons = any(self._has_reason(each, seen) for each in nodes)
            assert reasons or spoilt & nodes, f"{document} was rendered for nothing to {output}"

    def _has_reason(self, node: str, seen: list[Evaluation]) -> bool:
        before = self.known.get(node)
        return before is None or any(_differs(each, node, before, strict=len(seen) == 1) for each in seen)

    def _remember(self, now: Evaluation, *, strict: bool) -> None:
        """Updates what is known. A document that is not done may be rendered again once it is, whatever its inputs."""
        self.known = now.inputs
        gone_or_done = {*now.made, *(self.places.keys() - now.claims.keys())}
        self.places = {document: each for document, each in self.places.items() if document not in gone_or_done}
        self.places |= {document: set(now.claims_of(document)) for document in now.made}
        kept = {document: each for document, each in self.good.items() if strict and document in now.claims}
        self.good = kept | {document: _encoded(now.files_of(document)) for document in now.made}


def _makers(evaluation: Evaluation, document: str, output: str) -> Iterator[str]:
    """Yields the renderings of a document that may make an output, or the folder of this name."""
    nodes = evaluation.renderings_of(document) if document in evaluation.present else []
    claims = {each: evaluation.claims[each] for each in nodes if each in evaluation.claims}
    return (each for each, claim in claims.items() if output == claim or stands_for(output, claim))


def _differs(evaluation: Evaluation, document: str, before: object, *, strict: bool) -> bool:
    """Returns whether it had to be rendered, or may have been if files changed one after another."""
    inputs = evaluation.inputs.get(document)
    return inputs != before if strict and inputs is not None else not strict and inputs != before


def compare_troubles(now: Evaluation, report: Report) -> None:
    """Checks that exactly the documents that are not done are FAILED or BLOCKED."""
    told = {each["document"]: each["error"] for kind in ("failed", "blocked") for each in report[kind]}
    wrong = [f"{each}: {told[each]}" for each in sorted(told.keys() - (now.present - now.done))]
    wrong += [f"{each}: should not be done" for each in sorted(now.present - now.done - told.keys())]
    assert not wrong, "\n".join(["statuses:", *wrong])


def compare_warnings(now: Evaluation, report: Report) -> None:
    """Checks that what plug-ins warn of is told, and each link that leads nowhere."""
    told = {_as_evaluated(each) for each in report["warnings"] if each["document"].endswith((".plug", *PAGES))}
    wrong = [f"{each}: not to be told" for each in sorted(told - now.warnings)]
    wrong += [f"{each}: not told" for each in sorted(now.warnings - told)]
    assert not wrong, "\n".join(["warnings:", *wrong])


def _as_evaluated(warning: Report) -> tuple[str, str, int]:
    document, message, line = warning["document"], warning["message"], warning.get("line", 0)
    for name, expression in _OF_LINKS.items():
        if found := expression.match(message):
            return document, f"{name} {found[1]}", 0
    return document, message, line


def compare_fresh(tree: Tree, kept: Mapping[str, object], live: Built, anew: Built) -> None:
    """Compares a live daemon's outputs with a fresh build of the same files.

    `kept`: what documents have declared last; a fresh build can't know what those that are not done have.
    """
    now, (report, outputs), (fresh, found) = evaluate(tree), live, anew
    fresh_outputs = {path: each for path, each in found.items() if path in now.outputs or not _may_be_early(now, path)}
    compare_troubles(now, fresh)
    compare_warnings(now, fresh)
    _agree("fresh outputs", fresh_outputs, _encoded(now.outputs))
    assert fresh["code"] == (3 if fresh["cycles"] else 1 if fresh["failed"] or fresh["blocked"] else 0)
    if kept.keys() != now.declares.keys():
        return
    _agree("outputs", {path: outputs.get(path) for path in fresh_outputs}, fresh_outputs)
    if not _is_dynamic(tree):
        _agree(
            "failed",
            dict.fromkeys(_names(report, "failed"), "failed"),
            dict.fromkeys(_names(fresh, "failed"), "failed"),
        )
        assert bool(report["cycles"]) == bool(fresh["cycles"])


def _may_be_early(now: Evaluation, output: str) -> bool:
    """Returns whether a document that is not done may have made this before what it needs was declared."""
    broken = now.present - now.done if now.declares else ()
    nodes = (each for document in broken for each in now.renderings_of(document) if each in now.claims)
    return any(output == claim or stands_for(output, claim) for each in nodes for claim in now.claims_of(each))


def _encoded(outputs: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in outputs.items()}


def _agree(what: str, found: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Asserts that two mappings are equal, and reports only their differences."""
    keys = sorted(key for key in {*found, *expected} if found.get(key, _NONE) != expected.get(key, _NONE))
    lines = [f"{key}: {found.get(key, _NONE)} instead of {expected.get(key, _NONE)}" for key in keys]
    assert not lines, "\n".join([f"{what}:", *lines])


def _names(report: Report, kind: str) -> set[str]:
    return {each["document"] for each in report[kind]}


def _is_dynamic(tree: Tree) -> bool:
    """Returns whether some dependency is found only by rendering: then the order of renderings matters."""
    items = [item for each in tree.documents.values() if isinstance(each, Text) for item in each.items]
    return any(isinstance(item, IncludeIf | IncludeNamed) for item in items) or any(
        verb in {"read", "depends", "output", "declare"}
        for each in tree.documents.values()
        if isinstance(each, Script)
        for verb, _ in each.written()
    )
