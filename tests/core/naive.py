"""Evaluates a project from scratch, without memory or order: the result that the machine must reach."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.language import EACH, Files, Rendering, hash_of, is_hidden, parse, route_of, scan
from kahnd.core.globs import glob_matcher
from kahnd.core.model import (
    SOURCE_KINDS,
    Dependency,
    DocumentId,
    Facet,
    Failed,
    Job,
    Kind,
    KnownLinks,
    OutputPath,
    Rendered,
    RunId,
    Status,
    Unmet,
)
from kahnd.core.renderings import document_of
from kahnd.core.rules import Layout, collection_id, is_collection

BROKEN = (Status.FAILED, Status.BLOCKED)
Edges = dict[str, tuple[Dependency, ...]]


@dataclass
class Evaluation:
    """`outputs` by path; `inputs`: all inputs of a document's rendering, spelt out instead of hashed."""

    statuses: dict[str, Status] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, object] = field(default_factory=dict)
    read: Edges = field(default_factory=dict)


class _DiscoveredError(Exception):
    """A rendering discovered dependencies: the evaluation starts again with those known."""

    def __init__(self, document: str, found: tuple[Dependency, ...]) -> None:
        self.document = document
        self.found = found


def evaluate(sources: dict[str, str], layout: Layout) -> Evaluation:
    """Evaluates again with every discovered dependency, until none is discovered."""
    edges = {
        each: _sure(scan(text, each, layout), each, layout, hidden=is_hidden(text))
        for document, text in sources.items()
        for each in (document, *layout.renderings_of(DocumentId(document)))
    }
    while True:
        try:
            return _Try(sources, layout, edges).result()
        except _DiscoveredError as error:
            edges[error.document] += error.found


def _sure(found: tuple[Dependency, ...], document: str, layout: Layout, *, hidden: bool) -> tuple[Dependency, ...]:
    """Returns the dependencies that must be finished before a rendering; it discovers the others itself."""
    rule = None if hidden else layout.rule_of(DocumentId(document))
    if rule is None:
        return tuple(each for each in found if each.sure or each.kind is not Kind.INCLUDE)
    return tuple(each for each in found if each.sure) if rule.judges_missing else found


class _Try:
    def __init__(self, sources: dict[str, str], layout: Layout, edges: Edges) -> None:
        self._sources = sources
        self._layout = layout
        self._edges = edges
        self._renderings = list(edges)
        self._done = Evaluation()

    def result(self) -> Evaluation:
        for document in self._renderings:
            self._status(document)
        for document in self._renderings:
            self._done.inputs[document] = self._inputs(document)
        return self._done

    def _text(self, rendering: str) -> str | None:
        """Returns the text of a document, or of that of a rendering; None if there is no such rendering."""
        return self._sources.get(document_of(DocumentId(rendering))) if rendering in self._edges else None

    def _status(self, document: str) -> Status:
        statuses = self._done.statuses
        if document not in statuses:
            statuses[document] = Status.FAILED if self._reaches(document, document) else self._came_to(document)
        return statuses[document]

    def _needs(self, document: str) -> list[Dependency]:
        return [each for each in self._edges.get(document, ()) if not each.kind.is_content]

    def _reaches(self, start: str, goal: str) -> bool:
        seen: set[str] = set()
        rest = [start]
        while rest:
            for each in self._needs(rest.pop()):
                if each.target == goal:
                    return True
                if each.target not in seen:
                    seen.add(each.target)
                    rest.append(each.target)
        return False

    def _came_to(self, document: str) -> Status:
        rule = None if is_hidden(self._text(document)) else self._layout.rule_of(DocumentId(document))
        for each in self._needs(document):
            if each.target not in self._edges:
                if rule and (each.kind is Kind.DECLARED or not rule.judges_missing):
                    return Status.BLOCKED
            elif self._status(each.target) in BROKEN:
                return Status.BLOCKED
        if rule is None:
            return Status.DONE
        claims = self._claims_of(document)
        route = route_of(self._text(document) or "", document_of(DocumentId(document)))
        if (route and route.problem) or len(set(claims)) < len(claims):
            return Status.FAILED
        if any(not set(claims).isdisjoint(self._claims_of(other)) for other in self._renderings if other != document):
            return Status.FAILED
        return self._render(document, rule.index, claims)

    def _claims_of(self, document: str) -> tuple[OutputPath, ...]:
        text, named = self._text(document), DocumentId(document)
        rule = None if is_hidden(text) else self._layout.rule_of(named)
        return self._layout.claims_by(rule, named, route_of(text or "", document_of(named))) if rule else ()

    def _output_of(self, document: str) -> OutputPath | None:
        return next(iter(self._claims_of(document)), None)

    def _render(self, document: str, rule: int, claims: tuple[OutputPath, ...]) -> Status:
        job = Job(
            RunId(0),
            document_of(DocumentId(document)),
            hash_of(self._text(document) or ""),
            rule,
            claims[0],
            "",
            deps=tuple(dict.fromkeys(self._output_of(each.target) or each.target for each in self._needs(document))),
            collections=self._collections(),
            links=KnownLinks(
                tuple(claim for each in self._renderings for claim in self._claims_of(each)), self._leading_nowhere()
            ),
            more=claims[1:],
        )
        rendering = Rendering(self._layout, Files(self._sources), Files(self._done.outputs), job)
        outcome = rendering.outcome()
        read = tuple(each.dependency for each in outcome.reads)
        wanted = (outcome.needs,) if isinstance(outcome, Unmet) else ()
        found = tuple(each for each in (*read, *wanted) if each not in self._edges[document])
        if found:
            raise _DiscoveredError(document, found)
        match outcome:
            case Rendered():
                self._done.outputs |= dict(zip(claims, rendering.staged.values(), strict=True))
                told = not self._layout.rules[rule].judges_missing  # a command is told what it needs, and reads it
                given = (each for each in self._edges[document] if told or each.kind is Kind.DECLARED)
                self._done.read[document] = (*read, *given)
                return Status.DONE
            case Failed():
                return Status.FAILED
            case _:
                return Status.BLOCKED

    def _collections(self) -> tuple[tuple[DocumentId, tuple[DocumentId, ...]], ...]:
        patterns = {rest for text in self._sources.values() for _, word, rest in parse(text) if word in EACH}
        return tuple((collection_id(each), self._members(each)) for each in patterns)

    def _leading_nowhere(self) -> tuple[DocumentId, ...]:
        words = {rest for text in self._sources.values() for _, word, rest in parse(text) if word in {"leads", "part"}}
        rendered = {each for each in self._sources if self._output_of(each)}
        return tuple(DocumentId(each) for each in words - rendered if not self._makers(each))

    def _makers(self, output: str) -> list[str]:
        return sorted(each for each in self._renderings if output in self._claims_of(each))

    def _members(self, pattern: str) -> tuple[DocumentId, ...]:
        matches = glob_matcher(pattern)
        shown = (each for each, text in sorted(self._sources.items()) if not is_hidden(text))
        return tuple(DocumentId(each) for each in shown if matches(each))

    def _inputs(self, document: str) -> object:
        if self._done.statuses[document] is not Status.DONE:
            return None
        depended = self._done.read.get(document, self._edges[document])
        return self._text(document), frozenset((each.target, each.kind, self._bears(each)) for each in depended)

    def _bears(self, dependency: Dependency) -> object:
        """Returns the part of a target that matters to a dependent."""
        target, kind = dependency.target, dependency.kind
        output = self._output_of(target)
        if is_collection(target):
            return self._members(target[1:])
        if target not in self._edges:
            return tuple(self._makers(target)) if kind is Kind.LINK else None
        if dependency.facets is not None:
            return tuple((facet, self._facet(target, facet)) for facet in sorted(map(Facet, dependency.facets)))
        if kind.is_content:
            return self._sources[target], output
        if output is None:
            return self._effective(target)
        return self._sources[target] if kind in SOURCE_KINDS else self._done.outputs.get(output)

    def _facet(self, target: str, facet: Facet) -> str | None:
        title, _, rest = (self._text(target) or "").partition("\n")
        output = self._output_of(target)
        if facet is Facet.RENDERINGS:
            named = (DocumentId(target), *self._layout.renderings_of(DocumentId(target)))
            return str([claim for each in named for claim in self._claims_of(each)])
        if facet is Facet.OUTPUT:
            return self._done.outputs.get(str(output))
        return {Facet.TITLE: title, Facet.ANCHORS: title, Facet.TEXT: rest, Facet.URL: output}[facet]

    def _effective(self, plain: str) -> object:
        return self._text(plain), frozenset((e.target, e.kind, self._bears(e)) for e in self._needs(plain))
