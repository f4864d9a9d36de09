"""The meaning of a project's paths and references: rules, outputs, members, and a text's dependencies."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import xxhash

from agreement.blocks import Code
from agreement.configuration import Rule, Way
from agreement.language import (
    LATER,
    Cell,
    Column,
    Document,
    Include,
    IncludeIf,
    IncludeNamed,
    Item,
    Matter,
    OfOutput,
    Script,
    Text,
    Tree,
    is_page,
    source,
)

SOURCES: Final = ("docs", "shared")
HASH: Final = "{hash}"
BESIDE: Final = "//"
OF_CONTENT: Final = frozenset({"page", "title", "text", "front matter", "url", "members", "link"})
"""Uses of a document's own bytes or path, which ask for no order."""


Generated = Mapping[str, tuple[str, Document]]
"""Documents that others declare, by path, each after its declarer."""


@dataclass(frozen=True)
class Reference:
    """A document's dependency on some part of a target."""

    aspect: str
    target: str


class _Named(NamedTuple):
    """A reference as a text has it; `name` is that of one of several outputs."""

    aspect: str
    target: str
    name: str = ""


class Names:
    """`present` are the documents that are not ignored; `claims` the output paths of those with a rule.

    A rendering by a document's first rule has its path for an id; one beside it also has the rule, behind a mark.
    """

    def __init__(self, tree: Tree, generated: Generated) -> None:
        self.generated = generated
        declared = {path: document for path, (_, document) in generated.items()}
        self.tree = msgspec.structs.replace(tree, documents=declared | tree.documents)
        tree = self.tree
        self.present = {path for path in tree.documents if not self._is_ignored(path)}
        nodes = [each for path in self.present for each in self.renderings_of(path)]
        self.claims = {each: claim for each in nodes if (claim := self.output_of(each))}
        self._claimants = Counter(claim.rstrip("/") for path in self.claims for claim in self.claims_of(path))
        self._folders = {folder for claim in self._claimants for folder in above(claim)}

    def renderings_of(self, path: str) -> list[str]:
        """Returns a document's renderings: by its first rule, which it may lack, and by those beside it."""
        own = self.rule_of(path)
        others = [each for each in self.tree.config.rules if each.of.also and each is not own and each.fits(path)]
        return [path, *(f"{path}{BESIDE}{each.ending}" for each in others if own)]

    def rule_of(self, rendering: str) -> Rule | None:
        """Returns the rule that renders a document, or that of a rendering beside."""
        path, mark, ending = rendering.partition(BESIDE)
        if mark:
            return next(rule for rule in self.tree.config.rules if rule.ending == ending)
        plain = any(part.startswith("_") for part in path.split("/"))
        return None if plain or self.is_hidden(path) else self.scanned_as(path)

    def is_hidden(self, path: str) -> bool:
        """Returns whether a page is a draft, or has a date to come."""
        document = self.tree.documents.get(path)
        if not isinstance(document, Text) or document.broken in {"unclosed", "yaml"} or self.tree.config.drafts:
            return False
        return self.is_written_as_page(path) and (document.matter.draft or document.matter.date in LATER)

    def scanned_as(self, path: str) -> Rule | None:
        """Returns the rule in whose syntax a document is written: the first that fits, first of those for it alone."""
        rules = sorted(self.tree.config.rules, key=lambda rule: rule.of.also)
        return next((rule for rule in rules if rule.fits(path)), None)

    def output_of(self, rendering: str) -> str | None:
        """Returns a document's output path, the first of several, or with a slash at its end the folder it fills."""
        return next(iter(self.outputs_of(rendering)), None)

    def outputs_of(self, rendering: str) -> list[str]:
        """Returns all output paths that the rule of a rendering names, as the front matter has them."""
        path = document_of(rendering)
        rule, matter = self.rule_of(rendering), self._routing(path)
        if rule is None:
            return []
        patterns = (rule.of.output, *rule.of.more)
        first, *more = (self._output_by(rule.of, pattern, path, matter) for pattern in patterns)
        if matter.permalink and path == rendering:
            index = f"index{posixpath.splitext(first)[1]}" if matter.permalink.endswith("/") else ""
            first = f"{self.tree.config.output}{matter.permalink}{index}"
        return [first, *more]

    def claims_of(self, path: str) -> list[str]:
        """Returns all output paths of a rendering, those of its redirect pages too."""
        outputs, matter = self.outputs_of(path), self._routing(path)
        if not outputs or not matter.aliases or BESIDE in path:
            return outputs
        rule, beside = self.rule_of(path), posixpath.dirname(outputs[0])
        if rule and rule.of.clean and outputs[0].endswith("/index.html") and posixpath.basename(path) != "index.md":
            beside = posixpath.dirname(beside)
        aliases = [each if each.endswith(".html") else f"{each.rstrip('/')}/index.html" for each in matter.aliases]
        top = self.tree.config.output
        places = [f"{top}{each}" if each.startswith("/") else f"{beside}/{each}" for each in aliases]
        return [*outputs, *dict.fromkeys(places)]

    def makers_of(self, place: str) -> frozenset[str]:
        """Returns the renderings that make the output at a path."""
        return frozenset(path for path in self.claims if place in self.claims_of(path))

    def is_misplaced(self, path: str) -> bool:
        """Returns whether its front matter lacks a value of its output's path."""
        rule = self.rule_of(path)
        return rule is not None and rule.of.ranked and not self._routing(path).rank

    def _routing(self, path: str) -> Matter:
        """Returns the front matter, which says where a page is, if it is not broken."""
        document = self.tree.documents.get(path)
        if not isinstance(document, Text) or document.broken in {"unclosed", "yaml"} or not is_page(path):
            return Matter()
        rule = self.scanned_as(path)
        is_complete = rule is not None and rule.of.renderer == "page" and (document.matter.rank or not rule.of.ranked)
        return document.matter if is_complete else Matter()

    def _output_by(self, way: Way, pattern: str, path: str, matter: Matter) -> str:
        folder, name = posixpath.split(path.partition("/")[2])
        stem, ending = posixpath.splitext(name)
        if matter.permalink:
            folder, place = posixpath.split(matter.permalink.strip("/"))
            stem = posixpath.splitext(place)[0]
        stem = matter.slug or stem
        inner = pattern.format(
            dir=folder, stem=stem, name=stem + ending, ext=ending[1:], hash=HASH, rank=matter.rank or "{meta.rank}"
        )
        made = posixpath.normpath(f"{self.tree.config.output}/{inner.lstrip('/')}")
        if way.clean and stem == "index":
            made = made.removesuffix("/index/index.html") + "/index.html"
        return f"{made}/" if pattern.endswith("/") else made

    def public(self, path: str) -> str | None:
        """Returns a document's output path as URLs show it; None without an output."""
        rule, claim = self.rule_of(path), self.claims.get(path)
        clean = rule is not None and (rule.of.clean or self._routing(path).permalink.endswith("/"))
        return claim.removesuffix("index.html") if claim and clean and claim.endswith("/index.html") else claim

    def fills_folder(self, path: str) -> bool:
        """Returns whether a document's output is a folder."""
        return (self.output_of(path) or "").endswith("/")

    def is_contested(self, path: str) -> bool:
        """Returns whether another document's output is at the same path, below it, or at one of its folders."""
        claims = [claim.rstrip("/") for claim in self.claims_of(path)]
        return any(
            self._claimants[claim] > 1
            or claim in self._folders
            or any(each in self._claimants for each in above(claim))
            for claim in claims
        )

    def is_written_as_page(self, path: str) -> bool:
        """Returns whether its front matter is cut where it is included."""
        rule = self.scanned_as(path)
        return rule is not None and rule.of.renderer == "page"

    def is_partial(self, path: str) -> bool:
        """Returns whether only an underscore keeps a rule from rendering it."""
        return self.rule_of(path) is None and self.scanned_as(path) is not None

    def members(self, pattern: str, reader: str) -> list[str]:
        """Returns the documents that match a pattern, are no partials, and were not declared by the one that asks."""
        found = sorted(path for path in self.present if matcher(pattern)(path) and not self.is_partial(path))
        return [each for each in found if not self.is_declared_by(each, reader)]

    def is_declared_by(self, path: str, document: str) -> bool:
        """Returns whether a document has declared another, itself or through others."""
        declarer, _ = self.generated.get(path, ("", None))
        return declarer == document or (declarer != "" and self.is_declared_by(declarer, document))

    def source_of(self, path: str) -> str:
        """Returns a file's text."""
        return source(path, self.tree.documents[path])

    def _is_ignored(self, path: str) -> bool:
        return any(path.startswith(f"{folder}/") for folder in self.tree.config.ignored)

    def static(self, path: str, *, certain: bool = False) -> list[Reference]:
        """Returns the dependencies that a document names; `certain` leaves out those under a condition."""
        found = [(each, locate(each.target, document_of(path))) for each in self._named(path, certain=certain)]
        return [Reference(each.aspect, self._maker_of(target, each.name)) for each, target in found if target]

    def outputs_named(self, path: str, name: str) -> list[tuple[str, str]]:
        """Returns the outputs that a name means, or a document's first, each after the rendering that makes it."""
        outputs = [(each, output) for each in self.renderings_of(path) for output in self.outputs_of(each)]
        if not name:
            return outputs[:1]
        ending = [each for each in outputs if each[1].endswith(f".{name}")]
        return ending or [(each, output + name) for each, output in outputs if output.endswith("/")]

    def _maker_of(self, path: str, name: str) -> str:
        """Returns the rendering that makes the output of a name: the document's own if none or several do."""
        makers = [each for each, _ in self.outputs_named(path, name)]
        return makers[0] if len(makers) == 1 else path

    def _named(self, path: str, *, certain: bool) -> Iterator[_Named]:
        document = self.tree.documents[document_of(path)]
        rule = self.rule_of(path) or self.scanned_as(path)
        way = rule.of if rule else Way("template", "", "")
        if isinstance(document, Script) and way.renderer == "command":
            needs = (given for verb, given in document.lines if verb == "needs")
            yield from (_Named(self._wanted(given, document_of(path)), given) for given in needs)
        if isinstance(document, Text) and way.renderer == "page":
            if document.broken in {"unclosed", "yaml"}:
                return
            yield from _named_in_matter(document.matter)
        if isinstance(document, Text) and way.options.get("code") and not certain:
            yield from (_Named("data", item.target) for item in document.items if isinstance(item, Code))
        if isinstance(document, Text) and way.renderer != "copy" and way.templating and document.broken != "syntax":
            yield from (each for item in document.items for each in _named_by(item, certain=certain))

    def _wanted(self, given: str, path: str) -> str:
        target = locate(given, path)
        return "output" if target and self.rule_of(target) else "include"


def _named_in_matter(matter: Matter) -> Iterator[_Named]:
    if matter.template:
        yield _Named("template", matter.template)
    yield from (_Named("declared", each) for each in matter.depends_on)


def _named_by(item: Item, *, certain: bool) -> list[_Named]:
    match item:
        case Include(target, optional):
            return [] if certain and optional else [_Named("include", target)]
        case IncludeIf(sheet, target):
            return [_Named("data", sheet), *([] if certain else [_Named("include", target)])]
        case IncludeNamed(sheet) | Cell(sheet) | Column(sheet):
            return [_Named("data", sheet)]
        case OfOutput(target, facet, name):
            return [_Named(f"output {facet}", target, name)]
        case _:
            return []  # callers that ask for names do not ask for pages


def document_of(rendering: str) -> str:
    """Returns the document of a rendering."""
    return rendering.partition(BESIDE)[0]


def placed(claim: str, text: str) -> str:
    """Returns the path of an output with this text."""
    return claim.replace(HASH, xxhash.xxh3_128_hexdigest(text.encode())[:12])


def stands_for(path: str, claim: str) -> bool:
    """Returns whether a file may be the output at a claim, or one in the folder there."""
    pattern = re.escape(claim).replace(re.escape(HASH), "[0-9a-f]{12}")
    return re.fullmatch(pattern + ".+" * claim.endswith("/"), path) is not None


def above(path: str) -> Iterator[str]:
    """Returns the folders above a path, innermost first."""
    while path := posixpath.dirname(path):
        yield path


def locate(given: str, origin: str) -> str | None:
    """Returns the path that a reference means; None if it leads out of all sources."""
    base = "" if given.startswith("/") else posixpath.dirname(origin)
    path = posixpath.normpath(posixpath.join(base, given.lstrip("/")))
    return path if path.partition("/")[0] in SOURCES else None


def matcher(pattern: str) -> Callable[[str], bool]:
    """Returns a function that matches paths: `**/` stands for any folders, `*` for anything in a name."""
    expression = re.escape(pattern).replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]*")
    return lambda path: re.fullmatch(expression, path) is not None
