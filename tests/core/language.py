"""A small language for documents, and how one is rendered over files in memory.

A document is lines of text. What a line's first word can be is in `STATIC` (found by scanning) and `DYNAMIC` (found
only by rendering the document itself); `fail` fails; any other line is copied. An included text is expanded where it is
included.
Documents `*.md` are rendered by a renderer that tells all it read; `*.cmd` by one that reads its dependencies' files
(of a rendered one, the output) and tells no hashes, as a command does; `*.alt` are pages that go where a `*.md` of
that name goes; all others are plain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeVar

from msgspec.structs import replace

from kahnd.core.digest import of_bytes
from kahnd.core.model import (
    Dependency,
    Digest,
    DocumentId,
    Facet,
    Facets,
    Failed,
    Job,
    Kind,
    Outcome,
    Problem,
    Read,
    Rendered,
    Scan,
    Unmet,
)
from kahnd.core.rules import Layout, collection_id

T = TypeVar("T")

STATIC: Final = MappingProxyType(
    {
        "include": Kind.INCLUDE,
        "maybe": Kind.INCLUDE,
        "output": Kind.OUTPUT,
        "link": Kind.OUTPUT,
        "page": Kind.PAGE,
        "title": Kind.PAGE,
        "text": Kind.PAGE,
        "url": Kind.PAGE,
        "pages": Kind.COLLECTION,
        "titles": Kind.COLLECTION,
        "needs": Kind.DECLARED,
    }
)
USED: Final = MappingProxyType(
    {
        "output": {Facet.OUTPUT},
        "link": {Facet.URL},
        "title": {Facet.TITLE},
        "text": {Facet.TEXT},
        "url": {Facet.URL},
    }
)
"""What of another document a line uses, where it is not all; a page's title is its first line, its text the rest."""
EACH: Final = MappingProxyType({"pages": "page", "titles": "title"})
DYNAMIC: Final = MappingProxyType({"find": "include", "find-output": "output"})
DEEPEST: Final = 20
"""How deep texts may include texts, before a rendering counts as going round."""


def parse(text: str) -> Iterator[tuple[int, str, str]]:
    """Every line as its number, its first word and the rest."""
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.partition(" ")
        yield number, word, rest


def scan(text: str, document: str = "") -> tuple[Dependency, ...]:
    """What can be told from the text alone."""
    return tuple(
        Dependency(
            collection_id(rest) if word in EACH else DocumentId(rest),
            _kind(word, document),
            line,
            sure=word != "maybe",
        )
        for line, word, rest in parse(text)
        if word in STATIC
    )


def look(text: str, document: str = "") -> Scan:
    """What a scanner finds."""
    title, _, rest = text.partition("\n")
    return Scan(scan(text, document), Facets(hash_of(""), hash_of(rest), hash_of(title)))


def _kind(word: str, document: str) -> Kind:
    """A command is given the file that a document is, or renders to."""
    kind = STATIC[word]
    return Kind.DECLARED if kind.of_source and document.endswith(".cmd") else kind


def hash_of(text: str) -> Digest:
    return of_bytes(text.encode())


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


class Rendering:
    """One run of one document over the files as they are at this moment."""

    def __init__(self, layout: Layout, sources: Files, outputs: Files, job: Job) -> None:
        self._layout = layout
        self._texts = sources.texts
        self._outputs = outputs.texts
        self._job = job
        self._reads: dict[Dependency, Read] = {}
        self.text = ""

    def outcome(self) -> Outcome:
        produce = self._page if self._layout.rules[self._job.rule].judges_missing else self._command
        try:
            self.text = "\n".join(produce())
        except UnmetError as error:
            return Unmet(error.needs, Problem(f"needs {error.needs.target}", self._job.document), self._told())
        except BadInputError as error:
            return Failed(Problem(str(error), self._job.document), self._told())
        return Rendered(hash_of(self.text), self._told())

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
        if word == "fail":
            raise BadInputError("told to fail")
        if word not in STATIC:
            yield f"{word} {rest}"
        elif word in EACH:
            yield from self._pages(EACH[word], rest, line)
        else:
            yield from self._one(word, Dependency(DocumentId(rest), STATIC[word], line), depth)

    def _one(self, word: str, dependency: Dependency, depth: int) -> Iterator[str]:
        target = dependency.target
        if word in {"output", "link"}:
            yield self._output(dependency, word)
        elif word == "maybe" and target not in self._texts:
            self._note(dependency, None)
        elif word == "needs":
            self._read(dependency)
            self._reads[dependency] = Read(dependency)
        elif word == "page":
            yield f"[{self._layout.output_of(target)}: {self._read(dependency)}]"
        elif word in USED:
            yield self._page_of(word, dependency)
        else:
            yield from self._expand(self._read(dependency), depth + 1)

    def _page_of(self, word: str, dependency: Dependency) -> str:
        used = replace(dependency, facets=frozenset(USED[word]))
        title, _, rest = self._read(used).partition("\n")
        has = {Facet.TITLE: title, Facet.TEXT: rest, Facet.URL: self._layout.output_of(dependency.target)}
        return f"[{': '.join(str(has[each]) for each in sorted(USED[word]))}]"

    def _pages(self, word: str, pattern: str, line: int) -> Iterator[str]:
        collection = Dependency(collection_id(pattern), Kind.COLLECTION, line)
        members = dict(self._job.collections).get(collection.target)
        if members is None:
            raise UnmetError(collection)
        self._note(collection, None)
        for member in members:
            yield from self._one(word, Dependency(member, Kind.PAGE, line), 0)

    def _read(self, dependency: Dependency) -> str:
        text = self._texts.get(dependency.target)
        self._note(dependency, None if text is None else hash_of(text))
        if text is None:
            raise UnmetError(dependency)
        return text

    def _output(self, dependency: Dependency, word: str) -> str:
        dependency = replace(dependency, facets=frozenset(USED[word]))
        output = self._layout.output_of(dependency.target)
        if output is None:
            self._note(dependency, None)
            raise BadInputError(f"{dependency.target} is rendered by no rule")
        text = self._outputs.get(output) if dependency.target in self._texts else None
        self._note(dependency, None if text is None else hash_of(text))
        if text is None:
            raise UnmetError(dependency)
        return text if word == "output" else output

    def _note(self, dependency: Dependency, digest: Digest | None) -> None:
        known = self._reads.get(dependency)
        facets = known.dependency.facets if known else frozenset()
        joined = None if facets is None or dependency.facets is None else facets | dependency.facets
        self._reads[dependency] = Read(replace(dependency, facets=joined), digest)

    def _command(self) -> Iterator[str]:
        for path in (self._job.document, *self._job.deps):
            text = self._texts.get(path, self._outputs.get(path))
            if text is None:
                raise BadInputError(f"cat: {path}: no such file")
            if any(word == "fail" for _, word, _ in parse(text)):
                raise BadInputError(f"{path} says fail")
            yield text
