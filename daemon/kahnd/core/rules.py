"""Rules: from a path to its rule and output path; and how references in documents resolve. Looks at names only."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Final
from urllib.parse import quote

from kahnd.core.globs import glob_matcher
from kahnd.core.model import Digest, DocumentId, OutputPath
from kahnd.core.renderings import MARK, document_of, is_rendering, rendering_id
from kahnd.core.routes import META, Route, sound
from kahnd.core.text import is_encodable

OUTPUT_PLACEHOLDERS: Final = ("dir", "stem", "name", "ext", "hash")
NEVER: Final = 1 << 53
"""When a draft appears, in seconds since 1970."""
LONGEST_PATH: Final = 4096
"""Characters; Linux allows no path of more bytes."""
_LAST_CHANGE: Final = "//last-change/"
PAGE: Final = "page"
"""The renderer whose documents begin with front matter, which includes leave out."""


@dataclass(frozen=True)
class RenderLimits:
    """How much time and memory a rule's renderings may take; None: as much as the pool allows.

    `text`: these limits and the pool's, to compare: under other limits, what has failed may succeed.
    """

    timeout_s: float | None = None
    memory_mb: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Rule:
    """One `[[rules]]` entry; `parameters` are the renderer's own.

    `output`: the pattern of its output, or those of several; one with a slash at its end is a folder to fill. `recipe`:
    the hash of the rule without its output paths; set by the composition root, since the renderer knows a part.
    `judges_missing`: rendering finds out whether a missing dependency matters (a template's condition); otherwise a
    missing dependency blocks the document before it runs. `env`: the environment variables whose values are a part of
    the recipe. `clean_urls`: the
    URL of `a/index.html` is `a/`, and documents named `index` are at the URL of their folder. `also`: it applies beside
    the first rule that fits.
    """

    index: int
    match: str
    renderer: str
    output: str | tuple[str, ...]
    parameters: object = None
    recipe: Digest | None = None
    judges_missing: bool = False
    line: int = 0
    env: tuple[str, ...] = ()
    clean_urls: bool = False
    limits: RenderLimits = RenderLimits()
    also: bool = False

    @property
    def keeps_cache(self) -> bool:
        """Each of its documents has a folder that its program keeps between runs."""
        return bool(getattr(self.parameters, "keeps_cache", False))

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of all its outputs."""
        return (self.output,) if isinstance(self.output, str) else self.output

    @cached_property
    def meta_names(self) -> tuple[str, ...]:
        """The placeholders of its outputs that stand for values of the front matter."""
        names = (name for pattern in self.patterns for name in _parts(pattern)[1])
        return tuple(dict.fromkeys(each for each in names if META.fullmatch(each)))

    @cached_property
    def reads_routes(self) -> bool:
        """The front matter of its documents says where their outputs are."""
        return self.renderer == PAGE or bool(self.meta_names)

    @cached_property
    def _underscored(self) -> tuple[str, ...]:
        return tuple(part for part in self.match.split("/") if part.startswith("_"))

    def fits(self, path: str) -> bool:
        """Tells whether `match` fits, whatever names begin with an underscore."""
        return glob_matcher(self.match)(path)

    def names_underscores_of(self, path: str) -> bool:
        """Tells whether a part of the pattern that has the underscore itself matches each `_` name in the path."""
        if not path.startswith("_") and "/_" not in path:  # nearly all paths
            return True
        return all(
            any(fnmatchcase(part, pattern) for pattern in self._underscored)
            for part in path.split("/")
            if part.startswith("_")
        )


@dataclass(frozen=True)
class PluginEnvironment:
    """The Python environment that plug-ins import packages from: a path in the project, or an absolute one.

    `line`: the line of the configuration that names it.
    """

    path: str
    line: int = 0


@dataclass(frozen=True)
class Layout:
    """A project's source folders, its output folder, its rules, and the environment of its plug-ins.

    `drafts`: whether drafts and pages with a date to come are rendered. `now`: when the session began, in seconds since
    1970. `last_change`: whether pages can show when a commit has changed them last.
    """

    sources: tuple[str, ...]
    output: str
    rules: tuple[Rule, ...] = ()
    environment: PluginEnvironment | None = None
    drafts: bool = False
    now: float = field(default=NEVER - 1, compare=False)
    last_change: bool = False

    @cached_property
    def _innermost_first(self) -> tuple[str, ...]:
        return tuple(sorted(self.sources, key=len, reverse=True))

    @cached_property
    def also(self) -> tuple[Rule, ...]:
        """The rules that apply beside others."""
        return tuple(rule for rule in self.rules if rule.also)

    @cached_property
    def _own_first(self) -> tuple[Rule, ...]:
        """The rules as they are tried for a document's own; one with `also` is that where no other fits."""
        return (*(rule for rule in self.rules if not rule.also), *self.also) if self.also else self.rules

    def rule_of(self, document: DocumentId) -> Rule | None:
        """Returns the first rule that fits, or the rule of a rendering beside a document's own; None if it is plain."""
        if MARK in document and is_rendering(document):
            return self.renderings_of(document_of(document)).get(document)
        for rule in self._own_first:  # a generator would take half as long again, for every document of a start
            if rule.fits(document) and rule.names_underscores_of(document):
                return rule
        return None

    def renderings_of(self, document: DocumentId) -> Mapping[DocumentId, Rule]:
        """Returns a document's renderings beside that by its own rule, with their rules."""
        found: dict[DocumentId, Rule] = {}
        own = self.rule_of(document) if self.also else None
        for rule in self.also:
            if rule is not own and rule.fits(document) and rule.names_underscores_of(document):
                found[rendering_id(document, rule.patterns[0], found)] = rule
        return found

    def meta_names_of(self, document: DocumentId) -> tuple[str, ...]:
        """Returns the placeholders for values of its front matter in the outputs of all rules that apply."""
        rule = self.rule_of(document)
        rules = (rule, *self.renderings_of(document).values()) if rule else ()
        return tuple(dict.fromkeys(name for each in rules for name in each.meta_names))

    def may_route(self, document: DocumentId, *, routed: bool) -> bool:
        """Tells whether a document's front matter may say where its outputs are; `routed`: that of some one does."""
        rule = self.rule_of(document)
        if rule is None:
            return False
        names = self.meta_names_of(document) if self.also else rule.meta_names
        return bool(names) or (rule.reads_routes and routed)

    def rendering_by(self, document: DocumentId, rule: int) -> DocumentId:
        """Returns the id of a document's rendering by the rule with this index: its own, or one beside it."""
        found = (each for each, other in self.renderings_of(document).items() if other.index == rule)
        return next(found, document)

    def scanned_as(self, document: DocumentId) -> Rule | None:
        """Returns the rule to scan a document by: its own, or the first that fits but for underscores."""
        return self.rule_of(document) or next((rule for rule in self._own_first if rule.fits(document)), None)

    def hides(self, appears_at: int | None) -> bool:
        """Tells whether a document that appears at this time is not rendered yet."""
        return appears_at is not None and appears_at > self.now and not self.drafts

    def is_partial(self, document: DocumentId) -> bool:
        """Tells whether only an underscore makes the document plain; such partials and drafts are in no collection."""
        return self.rule_of(document) is None and self.scanned_as(document) is not None

    def is_written_as_page(self, document: DocumentId, rule: Rule | None = None) -> bool:
        """Tells whether a document, rendered or not, begins with front matter like pages. `rule`: its own, if known."""
        scanned_as = rule or self.scanned_as(document)
        return scanned_as is not None and scanned_as.renderer == PAGE

    @cached_property
    def hashes_paths(self) -> bool:
        """Some rule has outputs whose paths have a hash of their bytes."""
        return any("{hash}" in pattern for rule in self.rules for pattern in rule.patterns)

    def source_of(self, path: str) -> str | None:
        """Returns the innermost source folder that holds this path."""
        for source in self._innermost_first:
            if is_below(path, source):
                return source
        return None

    def is_output(self, path: str) -> bool:
        """Tells whether a path lies in the output folder."""
        return self.output != "." and path.startswith(f"{self.output}/")

    def output_of(self, document: DocumentId, route: Route | None = None) -> OutputPath | None:
        """Returns the path that a document renders to; None for a plain document."""
        rule = self.rule_of(document)
        if rule is None:
            return None
        return self.output_by(rule, document) if route is None else self.outputs_by(rule, document, route)[0]

    def output_by(self, rule: Rule, document: DocumentId) -> OutputPath:
        """Returns the path that a document renders to by this rule, or the first of several."""
        return self._filled(rule, rule.patterns[0], self._values(document))

    def outputs_by(self, rule: Rule, document: DocumentId, route: Route | None = None) -> tuple[OutputPath, ...]:
        """Returns all paths that a document renders to by this rule, and by its route if it has one."""
        values, route = self._values(document), sound(route)
        if route is None:
            return tuple([self._filled(rule, each, values) for each in rule.patterns])
        values |= route.placeholders
        values["stem"] = route.slug or values["stem"]
        values["name"] = f"{values['stem']}{values['ext'] and '.'}{values['ext']}"
        first, *more = (self._filled(rule, each, values) for each in rule.patterns)
        if route.permalink and not is_rendering(document):
            first = self._at(route, first)
        return tuple(each for each in (first, *more) if route.makes(each))

    def _at(self, route: Route, output: OutputPath) -> OutputPath:
        """Returns where a permalink puts an output, which is a file or a folder as by its rule."""
        path = posixpath.normpath(f"{self.output}/{route.permalink}")
        if output.endswith("/"):
            return OutputPath(f"{path}/")
        return OutputPath(f"{path}/index{posixpath.splitext(output)[1]}" if route.is_folder else path)

    def claims_by(self, rule: Rule, document: DocumentId, route: Route | None = None) -> tuple[OutputPath, ...]:
        """Returns the outputs of a document by this rule, and those of its aliases, whose pages lead to the first."""
        outputs, route = self.outputs_by(rule, document, route), sound(route)
        if route is None or not route.aliases or is_rendering(document):
            return outputs
        beside = posixpath.dirname(outputs[0])
        if rule.clean_urls and outputs[0].endswith("/index.html") and self._values(document)["stem"] != "index":
            beside = posixpath.dirname(beside)
        folders = (self.output if each.startswith("/") else beside for each in route.aliases)
        aliases = zip(folders, route.aliases, strict=True)
        return (*outputs, *(OutputPath(posixpath.normpath(f"{folder}/{each}")) for folder, each in aliases))

    def _values(self, document: DocumentId) -> dict[str, str]:
        document = document_of(document)
        source = self.source_of(document) or "."
        inner = document if source == "." else document[len(source) + 1 :]
        folder, _, name = inner.rpartition("/")
        stem, extension = posixpath.splitext(name)
        return {"dir": folder, "stem": stem, "name": name, "ext": extension[1:]}

    def _filled(self, rule: Rule, pattern: str, values: Mapping[str, str]) -> OutputPath:
        path = posixpath.normpath(f"{self.output}/{fill(pattern, values).lstrip('/')}")
        if rule.clean_urls and values["stem"] == "index" and path.endswith("/index/index.html"):
            path = path.removesuffix("/index.html") + ".html"
        return OutputPath(f"{path}/" if pattern.endswith("/") else path)


def public_path(output: OutputPath | None, rule: Rule | None, route: Route | None = None) -> str:
    """Returns an output path as URLs show it; empty if there is no output.

    With clean URLs, and where a permalink is a folder, it is without `index.html`.
    """
    has_clean_url = (rule and rule.clean_urls) or ((routed := sound(route)) and routed.is_folder)
    is_clean = output and has_clean_url and output.endswith("/index.html")
    return (output or "").removesuffix("index.html") if is_clean else output or ""


def url_between(path: str, origin: str) -> str:
    """Returns the percent-encoded URL of a path, which may end with `/`, from the page at another path."""
    relative = relative_path(path, posixpath.dirname(origin))
    return quote(f"{relative}/" if path.endswith("/") else relative)


def relative_path(path: str, folder: str) -> str:
    """Returns `posixpath.relpath(path, folder)` of project paths, several times as fast: it asks for no folder."""
    target, start = (each.split("/") for each in (posixpath.normpath(path), posixpath.normpath(folder)))
    target, start = (each if each != ["."] else [] for each in (target, start))
    shared = 0
    for one, other in zip(target, start, strict=False):
        if one != other:
            break
        shared += 1
    return "/".join([".."] * (len(start) - shared) + target[shared:]) or "."


def fill(pattern: str, values: Mapping[str, str]) -> str:
    """Replaces each `{name}` in the pattern; unknown names stay as they are."""
    literals, names = _parts(pattern)
    filled = [values.get(name, f"{{{name}}}") + literal for name, literal in zip(names, literals[1:], strict=True)]
    return literals[0] + "".join(filled)


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[Sequence[str], Sequence[str]]:
    """Splits a pattern into the texts around its placeholders, and their names."""
    parts = re.split(r"\{([\w.-]+)\}", pattern)
    return parts[::2], parts[1::2]


def is_below(path: str, folder: str) -> bool:
    """Tells whether a project path is a folder or lies below it; `.` is the project."""
    return folder in {".", path} or path.startswith(f"{folder}/")


def resolve(reference: str, origin: str) -> str | None:
    """Returns the project path of a reference in the document `origin`; None if it leads out of the project.

    A reference is relative to the document's folder or, with a leading `/`, to the project.
    """
    base = "" if reference.startswith("/") else posixpath.dirname(origin)
    path = posixpath.normpath(posixpath.join(base, reference.lstrip("/")))
    outside = path == ".." or path.startswith("../")
    return None if outside or path_error(path) else path


def path_error(path: str) -> str | None:
    """Returns the reason why no file can have this path; None if one can."""
    if len(path) > LONGEST_PATH:
        return f"it is longer than {LONGEST_PATH:,} characters"
    if "\0" in path:
        return "it holds a NUL"
    return None if is_encodable(path) else "it holds half a character (a lone surrogate)"


def collection_id(pattern: str) -> DocumentId:
    """Returns the id of the collection "every document that matches"; no path starts with a slash."""
    return DocumentId(f"/{pattern}")


def last_change_id(document: DocumentId) -> DocumentId:
    """Returns the id of the collection whose one member is when a commit has changed a document last.

    Patterns are normal paths, so no other collection's id has two slashes.
    """
    return DocumentId(f"{_LAST_CHANGE}{document}")


def dated_by(collection: DocumentId) -> DocumentId | None:
    """Returns the document whose last change this collection has; None if it is another."""
    return DocumentId(collection[len(_LAST_CHANGE) :]) if collection.startswith(_LAST_CHANGE) else None


def is_collection(document: DocumentId) -> bool:
    """Tells whether this is a collection rather than a file."""
    return document.startswith("/")
