"""What the paths and references of a project mean: rules, outputs, members, and what a text names."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from agreement.language import (
    Cell,
    Column,
    Include,
    IncludeIf,
    IncludeNamed,
    Item,
    Matter,
    OfOutput,
    Script,
    Text,
    Tree,
    source,
)
from agreement.ways import Rule, Way

SOURCES: Final = ("docs", "shared")
OF_CONTENT: Final = frozenset({"page", "title", "text", "front matter", "url", "members"})
"""What is used of a document's own bytes or place, and asks for no order."""


@dataclass(frozen=True)
class Reference:
    """That a document hangs on something of a target."""

    aspect: str
    target: str


class Names:
    """`present`: the documents that are not ignored; `claims`: where those that a rule fits are rendered to."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.present = {path for path in tree.documents if not self._is_ignored(path)}
        self.claims = {path: claim for path in self.present if (claim := self.output_of(path))}
        self._claimants = Counter(self.claims.values())
        self._folders = {folder for claim in self._claimants for folder in above(claim)}

    def rule_of(self, path: str) -> Rule | None:
        """The rule that renders it."""
        plain = any(part.startswith("_") for part in path.split("/"))
        return None if plain else self.scanned_as(path)

    def scanned_as(self, path: str) -> Rule | None:
        """The rule whose way of writing it has."""
        return next((rule for rule in self.tree.config.rules if rule.fits(path)), None)

    def output_of(self, path: str) -> str | None:
        """Where it is rendered to."""
        rule = self.rule_of(path)
        if rule is None:
            return None
        folder, name = posixpath.split(path.partition("/")[2])
        stem, _ = posixpath.splitext(name)
        inner = rule.of.output.format(dir=folder, stem=stem, name=name)
        return posixpath.normpath(f"{self.tree.config.output}/{inner.lstrip('/')}")

    def is_contested(self, path: str) -> bool:
        """Whether another document renders to the same place, below it, or to a file where it needs a folder."""
        claim = self.claims[path]
        return (
            self._claimants[claim] > 1
            or claim in self._folders
            or any(each in self._claimants for each in above(claim))
        )

    def is_written_as_page(self, path: str) -> bool:
        """Whether front matter is no part of it where it is included."""
        rule = self.scanned_as(path)
        return rule is not None and rule.of.renderer == "page"

    def is_partial(self, path: str) -> bool:
        """Whether a rule would render it but for an underscore."""
        return self.rule_of(path) is None and self.scanned_as(path) is not None

    def members(self, pattern: str) -> list[str]:
        """The documents that match a pattern, and are no partials."""
        return sorted(path for path in self.present if matcher(pattern)(path) and not self.is_partial(path))

    def source_of(self, path: str) -> str:
        """A file's text."""
        return source(path, self.tree.documents[path])

    def _is_ignored(self, path: str) -> bool:
        return any(path.startswith(f"{folder}/") for folder in self.tree.config.ignored)

    def static(self, path: str, *, certain: bool = False) -> list[Reference]:
        """What a document names, whether or not it is read; `certain`: but for what stands under a condition."""
        found = [(aspect, locate(given, path)) for aspect, given in self._named(path, certain=certain)]
        return [Reference(aspect, target) for aspect, target in found if target]

    def _named(self, path: str, *, certain: bool) -> Iterator[tuple[str, str]]:
        rule, document = self.scanned_as(path), self.tree.documents[path]
        way = rule.of if rule else Way("template", "", "")
        if isinstance(document, Script) and way.renderer == "command":
            yield from ((self._wanted(given, path), given) for verb, given in document.lines if verb == "needs")
        if isinstance(document, Text) and way.renderer == "page":
            if document.broken in {"unclosed", "yaml"}:
                return
            yield from _named_in_matter(document.matter)
        if isinstance(document, Text) and way.templating and document.broken != "syntax":
            yield from (each for item in document.items for each in _named_by(item, certain=certain))

    def _wanted(self, given: str, path: str) -> str:
        target = locate(given, path)
        return "output" if target and self.rule_of(target) else "include"


def _named_in_matter(matter: Matter) -> Iterator[tuple[str, str]]:
    if matter.template:
        yield "template", matter.template
    yield from (("declared", each) for each in matter.depends_on)


def _named_by(item: Item, *, certain: bool) -> list[tuple[str, str]]:
    match item:
        case Include(target, optional):
            return [] if certain and optional else [("include", target)]
        case IncludeIf(sheet, target):
            return [("data", sheet), *([] if certain else [("include", target)])]
        case IncludeNamed(sheet) | Cell(sheet) | Column(sheet):
            return [("data", sheet)]
        case OfOutput(target, facet):
            return [(f"output {facet}", target)]
        case _:
            return []  # who asks what is named does not ask for pages


def above(path: str) -> Iterator[str]:
    """The folders that a path is in, innermost first."""
    while path := posixpath.dirname(path):
        yield path


def locate(given: str, origin: str) -> str | None:
    """The source that a reference means; None where it leads out of all of them."""
    base = "" if given.startswith("/") else posixpath.dirname(origin)
    path = posixpath.normpath(posixpath.join(base, given.lstrip("/")))
    return path if path.partition("/")[0] in SOURCES else None


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a path fits: `**/` stands for any folders, `*` for anything in a name."""
    expression = re.escape(pattern).replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]*")
    return lambda path: re.fullmatch(expression, path) is not None
