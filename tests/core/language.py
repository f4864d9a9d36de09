"""A small language for documents, with a scanner and a renderer over files in memory.

A document is lines of text. The first word of a line can be one of `STATIC` (found by scanning) or `DYNAMIC` (found
only by rendering the document itself); `fail` fails; `warn` warns; any other line is copied. Included text is expanded
in place.

- `*.md` is rendered like a page, which reports all its reads.
- `*.cmd` is rendered like a command, which reads the files of its dependencies (the output of a rendered one) and
  reports no hashes.
- `*.alt` is a page that renders to the same path as a `*.md` of that name.
- `*.two` is a page with two outputs, and `*.box` one that fills a folder. A line `in NAME …` is for that output alone;
  any other is for all outputs of the two, and for none in a folder.
- A rendering beside a document's own is like a page or like a command as its rule is. `unprintable` fails those alone.
- All others are plain, and so is every document with a line `hidden`.
- A line `dated` shows when a commit has changed the document last.
- The first line `slug NAME` replaces the stem of a document's outputs, and `alias NAME` gives a page one more, which
  has the same text. `slug ?` is a mistake.

`declare PATH TEXT` declares a document, with `|` for line ends; `sort PATTERN FOLDER` declares one for each title of
the documents that match, with their paths.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar

from msgspec.structs import replace

from kahnd.core import output_paths
from kahnd.core.globs import glob_matcher
from kahnd.core.hashing import PRESENT, hash_bytes, hash_members, hash_outputs
from kahnd.core.model import (
    SOURCE_KINDS,
    Dependency,
    Digest,
    DocumentId,
    Facet,
    Facets,
    Failed,
    Job,
    Kind,
    Outcome,
    OutputPath,
    Problem,
    Read,
    Rendered,
    Scan,
    Unmet,
)
from kahnd.core.output_paths import facet_of
from kahnd.core.project_files import GENERATED
from kahnd.core.renderings import document_of, with_renderings
from kahnd.core.routes import Route
from kahnd.core.rules import NEVER, Layout, collection_id, last_change_id

T = TypeVar("T")

STATIC: Final = MappingProxyType(
    {
        "include": Kind.INCLUDE,
        "maybe": Kind.INCLUDE,
        "output": Kind.OUTPUT,
        "link": Kind.OUTPUT,
        "piece": Kind.OUTPUT,
        "page": Kind.PAGE,
        "title": Kind.PAGE,
        "text": Kind.PAGE,
        "url": Kind.PAGE,
        "pages": Kind.COLLECTION,
        "titles": Kind.COLLECTION,
        "sort": Kind.COLLECTION,
        "needs": Kind.DECLARED,
        "leads": Kind.LINK,
        "part": Kind.LINK,
    }
)
USED: Final = MappingProxyType(
    {
        "output": {Facet.OUTPUT},
        "link": {Facet.URL},
        "title": {Facet.TITLE},
        "text": {Facet.TEXT},
        "url": {Facet.URL},
        "leads": {Facet.URL},
        "part": {Facet.URL, Facet.ANCHORS},
    }
)
"""Facets that a line uses, unless it uses the whole document; a title is the first line, the text the rest.

The title is the only anchor.
"""
EACH: Final = MappingProxyType({"pages": "page", "titles": "title"})
_GENERATED: Final = f"{GENERATED}/"
_COLLECTING: Final = frozenset({*EACH, "sort"})
DYNAMIC: Final = MappingProxyType({"find": "include", "find-output": "output", "find-title": "title"})
NO_RULES: Final = Layout((), "site")
DEEPEST: Final = 20
"""Depth of includes at which a rendering fails as endless."""


def parse(text: str) -> Iterator[tuple[int, str, str]]:
    """Yields every line as its number, its first word and the rest."""
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.partition(" ")
        yield number, word, rest


def scan(text: str, document: str = "", layout: Layout = NO_RULES) -> tuple[Dependency, ...]:
    """Scans a text for dependencies; one that any line has unconditionally is sure. Only pages have links."""
    found: dict[Dependency, Dependency] = {}
    for line, word, rest in parse(text):
        if word in STATIC and (STATIC[word] is not Kind.LINK or _is_link(document, rest, layout)):
            if word in _COLLECTING:
                target = collection_id(rest.partition(" ")[0])
            else:
                path, _, output = rest.partition(":")
                target = _target(path, "" if is_command(document, layout) else output, layout)
            is_link = STATIC[word] is Kind.LINK
            facets = frozenset(USED[word]) if is_link else None
            new = Dependency(
                target, _kind(word, document, layout), line, facets=facets, sure=word != "maybe" and not is_link
            )
            known = found.setdefault(new, new)
            if new.sure and not known.sure:
                found[new] = replace(known, sure=True)
            elif known.facets is not None:
                found[new] = replace(known, facets=known.facets | (facets or frozenset()))
    return tuple(found.values())


def _is_link(document: str, target: str, layout: Layout) -> bool:
    is_page = document_of(DocumentId(document)).endswith((".md", ".alt")) and not is_command(document, layout)
    return is_page and target.endswith((".md", ".alt", ".cmd", ".html", ".out"))


def _target(path: str, output: str, layout: Layout) -> DocumentId:
    """Returns the rendering of a document that makes an output."""
    document = DocumentId(path)
    rules = layout.renderings_of(document).items() if output else ()
    return next((each for each, rule in rules if layout.output_by(rule, each) == output), document)


def look(text: str, document: str = "", layout: Layout = NO_RULES) -> Scan:
    """Returns the result of a scanner."""
    path = DocumentId(document)
    others = [(each, _look(text, each, layout)) for each in layout.renderings_of(path)]
    return with_renderings(_look(text, path, layout), others)


def _look(text: str, rendering: DocumentId, layout: Layout) -> Scan:
    title, _, rest = text.partition("\n")
    facets = Facets(hash_of(""), hash_of(rest), hash_of(title), hash_of(title))
    route = route_of(text, document_of(rendering))
    hidden_until = NEVER if is_hidden(text) else None
    return Scan(scan(text, rendering, layout), facets, appears_at=hidden_until, route=route)


def route_of(text: str, document: str) -> Route | None:
    """Returns where a document says that its outputs are."""
    slugs = [rest for _, word, rest in parse(text) if word == "slug"]
    aliases = (f"/{rest}.html" for _, word, rest in parse(text) if word == "alias")
    is_page = document.endswith((".md", ".alt"))
    problem = Problem("is no slug", document) if slugs[:1] == ["?"] else None
    route = Route(slugs[0] if slugs else "", aliases=tuple(dict.fromkeys(aliases)) if is_page else (), problem=problem)
    return None if route == Route() else route


def is_hidden(text: str | None) -> bool:
    """Whether no rule renders a document with this text."""
    return "hidden" in (text or "").splitlines()


def _kind(word: str, document: str, layout: Layout) -> Kind:
    """A command is given the file that a document is, or renders to."""
    kind = STATIC[word]
    return Kind.DECLARED if kind in SOURCE_KINDS and is_command(document, layout) else kind


def is_command(rendering: str, layout: Layout) -> bool:
    """Whether a rendering is made by a command; a document's own is if its name says so."""
    rule = layout.rule_of(DocumentId(rendering))
    return not rule.judges_missing if rule and rule.also else rendering.endswith(".cmd")


def hash_of(text: str) -> Digest:
    return hash_bytes(text.encode())


class UnmetError(Exception):
    def __init__(self, needs: Dependency) -> None:
        super().__init__(needs.target)
        self.needs = needs


class BadInputError(Exception):
    pass


@dataclass
class Files:
    """The file system: texts by path, and how often each was written."""

    texts: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def write(self, path: str, text: str) -> None:
        self.texts[path] = text
        self.versions[path] = self.versions.get(path, 0) + 1


def _documents(
    declared: Mapping[str, str], sources: Mapping[str, str], outputs: Mapping[str, str], own: tuple[str, ...]
) -> Mapping[str, str]:
    """The texts of all documents by path: those that this run declares, the sources, and those that others declare."""
    made = dict(outputs)  # others may be put in place meanwhile
    generated = {each.removeprefix(_GENERATED): text for each, text in made.items() if each.startswith(_GENERATED)}
    by_others = {each: text for each, text in generated.items() if each not in own}
    return ChainMap(declared, sources, by_others)  # type: ignore[arg-type]  # nothing is written into it


class Rendering:
    """One run of one document over the files as they are at this moment."""

    def __init__(self, layout: Layout, sources: Files, outputs: Files, job: Job) -> None:
        self._layout = layout
        self.declared: dict[str, str] = {}
        self._texts = _documents(self.declared, sources.texts, outputs.texts, job.own)
        self._outputs = outputs.texts
        self._job = job
        self._reads: dict[Dependency, Read] = {}
        self._warnings: list[Problem] = []
        self.text = ""
        self.staged: dict[str, str] = {}

    def outcome(self) -> Outcome:
        produce = self._page if self._layout.rules[self._job.rule].judges_missing else self._command
        try:
            self.text = "\n".join(produce())
        except UnmetError as error:
            return Unmet(error.needs, Problem(f"needs {error.needs.target}", self._job.document), self._told())
        except BadInputError as error:
            return Failed(Problem(str(error), self._job.document), self._told())
        outputs = self._several() if self._job.more or self._job.output.endswith("/") else ()
        declared = tuple((DocumentId(each), hash_of(text), 1) for each, text in sorted(self.declared.items()))
        for number, (each, _, _) in enumerate(declared):
            self.staged[output_paths.stage_of_declared(self._job, number)] = self.declared[each]
        if not outputs:
            self.staged[self._job.stage] = self.text
            return Rendered(hash_of(self.text), self._told(), tuple(self._warnings), declared=declared)
        whole = hash_outputs(outputs) if self._job.output.endswith("/") else outputs[0][1]
        return Rendered(whole, self._told(), outputs=outputs, declared=declared)

    def _several(self) -> tuple[tuple[OutputPath, Digest], ...]:
        """Returns the outputs of a document with several, and stages their texts."""
        job, lines = self._job, [line.split(" ", 2) for line in self.text.split("\n")]
        own = [(line[1], line[2]) for line in lines if line[0] == "in"]
        common = [" ".join(line) for line in lines if line[0] != "in"]
        if job.output.endswith("/"):
            texts = {f"{job.output}{name}": rest for name, rest in own}
            stages = [f"{job.stage}/{name}" for name, _ in own]
        else:
            texts = {
                path: "\n".join([*common, *(rest for name, rest in own if path.endswith(f".{name}"))])
                for path in output_paths.outputs_of(job)
            }
            stages = [*output_paths.stages(job)]
        self.staged |= dict(zip(stages, texts.values(), strict=True))
        return tuple((OutputPath(path), hash_of(text)) for path, text in texts.items())

    def _told(self) -> tuple[Read, ...]:
        return tuple(self._reads.values())

    def _page(self) -> Iterator[str]:
        text = self._texts.get(self._job.document)
        if text is None or hash_of(text) != self._job.content_hash:
            raise UnmetError(Dependency(self._job.document, Kind.DISCOVERED))
        yield from self._expand(text, 0)

    def _expand(self, text: str, depth: int) -> Iterator[str]:
        if depth > DEEPEST:
            raise BadInputError("goes round without end")
        for line, word, rest in parse(text):
            yield from self._line(line, word if depth else DYNAMIC.get(word, word), rest, depth)

    def _line(self, line: int, word: str, rest: str, depth: int) -> Iterator[str]:
        if word == "fail" or (word == "unprintable" and self._is_beside):
            raise BadInputError("told to fail")
        if word == "declare":
            self._declare(*rest.split(" ", 1))
        elif word == "sort":
            self._sort(rest, line)
        elif word == "warn":
            self._warnings.append(Problem(rest, self._job.document, line))
        elif word == "dated":
            yield self._last_change()
        elif word not in STATIC:
            yield f"{word} {rest}"
        elif word in EACH:
            yield from self._pages(EACH[word], rest, line)
        else:
            target, _, path = rest.partition(":")
            dependency = Dependency(DocumentId(target), STATIC[word], line)
            yield from self._one(word, dependency, depth) if word != "piece" else [self._piece(dependency, path)]

    def _last_change(self) -> str:
        dated = Dependency(last_change_id(self._job.document), Kind.COLLECTION)
        members = dict(self._job.collections)[dated.target]
        self._note(dated, hash_members(members))
        return f"[{', '.join(members)}]"

    @property
    def _is_beside(self) -> bool:
        """Whether it is a rendering beside the document's own."""
        return self._layout.rendering_by(self._job.document, self._job.rule) != self._job.document

    def _piece(self, dependency: Dependency, path: str) -> str:
        """Returns one of the outputs of a document that has several."""
        rendering = _target(dependency.target, path, self._layout)
        if dependency.target in self._texts and dependency.target != self._job.document:
            named = Dependency(dependency.target, Kind.PAGE, facets=frozenset({Facet.RENDERINGS}))
            self._note(named, PRESENT)
        if rendering != dependency.target:
            text = self._texts.get(dependency.target)
            used = replace(dependency, target=dependency.target if text is None else rendering)
            used = replace(used, facets=frozenset({Facet.OUTPUT}))
            if is_hidden(text):
                self._note(used, None)
                raise BadInputError(f"{dependency.target} is hidden")
            route = route_of(text or "", dependency.target)
            return self._first_output(used, self._layout.output_of(rendering, route) or path)
        used = replace(dependency, facets=frozenset({facet_of(Facet.OUTPUT, path)}))
        text = (
            self._outputs.get(dict(self._job.hashed).get(OutputPath(path), path))
            if dependency.target in self._texts
            else None
        )
        self._note(used, None)
        known = self._reads[used]
        if text is None:
            raise BadInputError(f"{dependency.target} makes no {path}")
        self._reads[used] = replace(known, outputs=(*known.outputs, (OutputPath(path), hash_of(text))))
        return text

    def _one(self, word: str, dependency: Dependency, depth: int) -> Iterator[str]:
        target = dependency.target
        if word in {"output", "link"}:
            yield self._output(dependency, word)
        elif dependency.kind is Kind.LINK:
            yield self._link(word, dependency)
        elif word == "maybe" and target not in self._texts:
            self._note(dependency, None)
        elif word == "needs":
            self._read(dependency)
            self._reads[dependency] = Read(dependency)
        elif word == "page":
            yield f"[{self._output_of(target)}: {self._read(dependency)}]"
        elif word in USED:
            yield self._page_of(word, dependency)
        else:
            yield from self._expand(self._read(dependency), depth + 1)

    def _declare(self, path: str, text: str = "") -> None:
        self.declared[path] = text.replace("|", "\n")

    def _sort(self, rest: str, line: int) -> None:
        """Declares a document for each title, with the paths of those that have it."""
        pattern, folder = rest.split(" ")
        by_title: dict[str, list[str]] = {}
        for member in self._members(pattern, line):
            used = Dependency(DocumentId(member), Kind.PAGE, line, facets=frozenset({Facet.TITLE}))
            by_title.setdefault(self._read(used).partition("\n")[0], []).append(member)
        for title, members in by_title.items():
            if title:
                self.declared[f"{folder}/{title}.md"] = "\n".join([title, *members])

    def _page_of(self, word: str, dependency: Dependency) -> str:
        used = replace(dependency, facets=frozenset(USED[word]))
        title, _, rest = self._read(used).partition("\n")
        has = {Facet.TITLE: title, Facet.TEXT: rest, Facet.URL: self._output_of(dependency.target)}
        return f"[{': '.join(str(has[each]) for each in sorted(USED[word]))}]"

    def _output_of(self, target: DocumentId) -> str | None:
        text = self._texts.get(target)
        return None if is_hidden(text) else self._layout.output_of(target, route_of(text or "", target))

    def _link(self, word: str, dependency: Dependency) -> str:
        """Where a link leads, as the job knows; the worker guesses where the job does not know."""
        target, job = dependency.target, self._job
        output = self._output_of(target) if self._layout.source_of(target) else target
        if target in {job.document, job.output}:
            return "[here]"
        if target in job.links.dead or output is None:
            exists = False
        elif output != target:
            exists = target in self._texts
        else:
            known = any(
                output == each or (each.endswith("/") and output.startswith(each)) for each in job.links.outputs
            )
            exists = known or target in self._outputs
        used = replace(dependency, facets=frozenset(USED[word]))
        text = self._texts.get(target) if exists and word == "part" else None
        self._note(used, hash_of(text) if text is not None else PRESENT if exists else None)
        title = (text or "").partition("\n")[0]
        return f"[{output if exists else 'nowhere'}{[title] if title else []}]"

    def _pages(self, word: str, pattern: str, line: int) -> Iterator[str]:
        for member in self._members(pattern, line):
            yield from self._one(word, Dependency(DocumentId(member), Kind.PAGE, line), 0)

    def _members(self, pattern: str, line: int) -> list[str]:
        collection = Dependency(collection_id(pattern), Kind.COLLECTION, line)
        members = dict(self._job.collections).get(collection.target)
        if members is None:
            raise UnmetError(collection)
        self._note(collection, None)
        fits = glob_matcher(pattern)
        return sorted({*members, *filter(fits, self.declared)})

    def _read(self, dependency: Dependency) -> str:
        text = self._texts.get(dependency.target)
        self._note(dependency, None if text is None else hash_of(text))
        if text is None:
            raise UnmetError(dependency)
        return text

    def _output(self, dependency: Dependency, word: str) -> str:
        dependency = replace(dependency, facets=frozenset(USED[word]))
        output = self._output_of(dependency.target)
        if output is None:
            self._note(dependency, None)
            raise BadInputError(f"{dependency.target} is rendered by no rule")
        text = self._outputs.get(output) if dependency.target in self._texts else None
        self._note(dependency, None if text is None else hash_of(text))
        if text is None:
            raise UnmetError(dependency)
        return text if word == "output" else output

    def _first_output(self, dependency: Dependency, output: str) -> str:
        text = self._outputs.get(output) if document_of(dependency.target) in self._texts else None
        self._note(dependency, None if text is None else hash_of(text))
        if text is None:
            raise UnmetError(dependency)
        return text

    def _note(self, dependency: Dependency, digest: Digest | None) -> None:
        known = self._reads.get(dependency)
        facets = known.dependency.facets if known else frozenset()
        joined = None if facets is None or dependency.facets is None else facets | dependency.facets
        if known and digest == PRESENT:
            digest = known.hash
        outputs = known.outputs if known else ()
        self._reads[dependency] = Read(replace(dependency, facets=joined), digest, outputs)

    def _command(self) -> Iterator[str]:
        for path in (self._job.document, *self._job.deps):
            text = self._texts.get(path, self._outputs.get(path))
            if text is None:
                raise BadInputError(f"cat: {path}: no such file")
            failing = {"fail", "unprintable"} if self._is_beside else {"fail"}
            if any(word in failing for _, word, _ in parse(text)):
                raise BadInputError(f"{path} says fail")
            yield text
