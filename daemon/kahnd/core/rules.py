"""Path → rule → output path, and how paths in documents are resolved. Pure: looks at names only."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Final

from kahnd.core.globs import glob_matcher
from kahnd.core.model import Digest, DocumentId, OutputPath
from kahnd.core.text import is_whole

OUTPUT_PLACEHOLDERS: Final = ("dir", "stem", "name", "ext")
LONGEST_PATH: Final = 4096
"""Characters: Linux has no file whose path has more bytes."""
PAGE: Final = "page"
"""The renderer whose documents are written with front matter, which is cut where they are included."""


@dataclass(frozen=True)
class Rule:
    """One `[[rules]]` entry. `parameters` is the renderer's own.

    `recipe`: the hash of all of it but the output path; set by the composition root, as the renderer knows a part.

    `judges_missing`: the renderer itself finds out whether a missing dependency matters (a template's condition);
    otherwise a missing dependency blocks the document before it runs.
    """

    index: int
    match: str
    renderer: str
    output: str
    parameters: object = None
    recipe: Digest | None = None
    judges_missing: bool = False
    line: int = 0

    @cached_property
    def _underscored(self) -> tuple[str, ...]:
        return tuple(part for part in self.match.split("/") if part.startswith("_"))

    def fits(self, path: str) -> bool:
        """Whether `match` fits, underscores or not."""
        return glob_matcher(self.match)(path)

    def names_underscores_of(self, path: str) -> bool:
        """Whether every `_` name in the path is matched by a part of the pattern that has the underscore itself."""
        if not path.startswith("_") and "/_" not in path:  # as nearly all
            return True
        return all(
            any(fnmatchcase(part, pattern) for pattern in self._underscored)
            for part in path.split("/")
            if part.startswith("_")
        )


@dataclass(frozen=True)
class Layout:
    """A project's names: which folders are sources, where outputs go, and which rule renders what."""

    sources: tuple[str, ...]
    output: str
    rules: tuple[Rule, ...] = ()

    @cached_property
    def _innermost_first(self) -> tuple[str, ...]:
        return tuple(sorted(self.sources, key=len, reverse=True))

    def rule_of(self, document: DocumentId) -> Rule | None:
        """The first rule that fits; None for a plain document."""
        for rule in self.rules:  # for every document of a start: a generator takes half as long again
            if rule.fits(document) and rule.names_underscores_of(document):
                return rule
        return None

    def scanned_as(self, document: DocumentId) -> Rule | None:
        """The rule whose way of finding dependencies fits this document, which may itself be plain."""
        return self.rule_of(document) or next((rule for rule in self.rules if rule.fits(document)), None)

    def is_partial(self, document: DocumentId) -> bool:
        """Whether a rule would fit but for the underscore: a partial or a draft is in no collection."""
        return self.rule_of(document) is None and self.scanned_as(document) is not None

    def is_written_as_page(self, document: DocumentId, rule: Rule | None = None) -> bool:
        """Whether a file, rendered or not, is written as pages are: with front matter. `rule`: its own, if known."""
        scanned_as = rule or self.scanned_as(document)
        return scanned_as is not None and scanned_as.renderer == PAGE

    def source_of(self, path: str) -> str | None:
        """The innermost source folder that holds this path."""
        for source in self._innermost_first:
            if is_below(path, source):
                return source
        return None

    def is_output(self, path: str) -> bool:
        """Whether a path lies in the output folder."""
        return self.output != "." and path.startswith(f"{self.output}/")

    def output_of(self, document: DocumentId) -> OutputPath | None:
        """Where a document's rendering goes, below the output folder; None for a plain document."""
        rule = self.rule_of(document)
        return None if rule is None else self.output_by(rule, document)

    def output_by(self, rule: Rule, document: DocumentId) -> OutputPath:
        """Where the rule puts this document's rendering."""
        source = self.source_of(document) or "."
        inner = document if source == "." else document[len(source) + 1 :]
        folder, _, name = inner.rpartition("/")
        stem, extension = posixpath.splitext(name)
        values = {"dir": folder, "stem": stem, "name": name, "ext": extension[1:]}
        return OutputPath(posixpath.normpath(f"{self.output}/{fill(rule.output, values).lstrip('/')}"))


def fill(pattern: str, values: Mapping[str, str]) -> str:
    """The pattern with each `{name}` replaced; names not given stay as they are."""
    literals, names = _parts(pattern)
    filled = [values.get(name, f"{{{name}}}") + literal for name, literal in zip(names, literals[1:], strict=True)]
    return literals[0] + "".join(filled)


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[Sequence[str], Sequence[str]]:
    """What stands between the placeholders, and their names."""
    parts = re.split(r"\{(\w+)\}", pattern)
    return parts[::2], parts[1::2]


def is_below(path: str, folder: str) -> bool:
    """Whether a project path lies below (or is) a folder; `.` is the project."""
    return folder in {".", path} or path.startswith(f"{folder}/")


def resolve(reference: str, origin: str) -> str | None:
    """The project path a reference in document `origin` means; None where it leads out of the project.

    Relative to the document's folder, or to the project with a leading `/`.
    """
    base = "" if reference.startswith("/") else posixpath.dirname(origin)
    path = posixpath.normpath(posixpath.join(base, reference.lstrip("/")))
    outside = path == ".." or path.startswith("../")
    return None if outside or no_path(path) else path


def no_path(path: str) -> str | None:
    """Why no file can have such a path; None where one can."""
    if len(path) > LONGEST_PATH:
        return f"it is longer than {LONGEST_PATH:,} characters"
    if "\0" in path:
        return "it holds a NUL"
    return None if is_whole(path) else "it holds half a character (a lone surrogate)"


def collection_id(pattern: str) -> DocumentId:
    """The node that stands for "every document that matches": no path starts with a slash."""
    return DocumentId(f"/{pattern}")


def is_collection(document: DocumentId) -> bool:
    """Whether this node is a collection and no file."""
    return document.startswith("/")
