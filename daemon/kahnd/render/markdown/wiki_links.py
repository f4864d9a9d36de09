"""Wiki links: `[[page#part|text]]` leads to a page, and `![[image.png|300]]` shows an image, by the end of its path.

A page that has some depends on which pages there are, and on which files have the names of its images.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import quote

from kahnd.core.globs import is_pattern
from kahnd.core.hashing import hash_members
from kahnd.core.model import Dependency, DocumentId, Kind, Problem
from kahnd.core.rules import Layout, collection_id, resolve
from kahnd.render.context import Location, RenderContext
from kahnd.render.markdown.convert import slug
from kahnd.render.markdown.extensions import Target

_IMAGES: Final = frozenset({".apng", ".avif", ".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".png", ".svg", ".webp"})
_TAKEN_IN: Final = re.compile(r"!\[\[([^\[\]\n|#\\]+)")
_PAGES: Final = (".md", ".markdown")


@dataclass
class WikiLinks:
    """Resolves the wiki links of one page. `pages` gives all pages; `locate`, the place of a text."""

    rendering: RenderContext
    pages: Callable[[Location], Iterable[DocumentId]]
    locate: Callable[[str], Location]
    has_templates: bool
    _found: dict[tuple[str, bool], list[DocumentId]] = field(default_factory=dict)

    def resolve(self, name: str, part: str, taken_in: bool) -> Target | None:  # noqa: FBT001 - as `Resolve` has it
        """Where a wiki link leads, from this page's source to the other's; None, with a warning, for no place."""
        fragment = f"#{slug(part)}" if part else ""
        if not name:
            return Target(fragment)
        if (name, taken_in) not in self._found:
            self._found[name, taken_in] = self._look(name, part, taken_in=taken_in)
        found = self._found[name, taken_in]
        if not found:
            return None
        address = posixpath.relpath(found[0], posixpath.dirname(self._document) or ".")
        return Target(quote(address) + fragment, taken_in and _is_image(name))

    def _look(self, name: str, part: str, *, taken_in: bool) -> list[DocumentId]:
        """The documents that a link may mean; it is told if they are none or several, or can't be taken in."""
        found = [] if taken_in and _is_image(name) else linked(name, self._document, self._linkable)
        is_page = bool(found)
        if taken_in and not found:
            found = self._files(name)
        written = f"{'!' if taken_in else ''}[[{name}"
        shown = f"{written}#{part}]]" if part and taken_in else f"{written}]]"
        if len(found) > 1:
            remedy = "write the folder before the name"
            self._warn(written, f"{shown} may be {' or '.join(found[:3])}", remedy)
        elif not found:
            what = "page" if not taken_in else "image" if _is_image(name) else "page or file"
            self._warn(written, f"there is no {what} for {shown}", "create it, or correct the link")
        elif taken_in and not _is_image(name):
            remedy = self._include(found[0]) if is_page else "write HTML, such as <video> or <iframe>, with its path"
            self._warn(written, f"{shown} can't be taken in like this, and is a link", remedy)
        return found

    def _include(self, page: DocumentId) -> str:
        path = posixpath.relpath(page, posixpath.dirname(self._document) or ".")
        also = "" if self.has_templates else ", in a rule with `templating = true`"
        return f'write {{% include "{path}" %}}{also}; for a part, put it into a file of its own'

    def _files(self, name: str) -> list[DocumentId]:
        """The files of the page's source folder at the end of whose paths a name is; one beside the page counts."""
        rendering = self.rendering
        pattern = _pattern_of_files(name, self._document, rendering.layout)
        if pattern is None:
            return []
        collection = collection_id(pattern)
        found = sorted(rendering.members(collection, Location(self._document)))
        rendering.record(Dependency(collection, Kind.COLLECTION), hash_members(found))
        exact = [each for each in found if each == resolve(name, self._document)]
        return exact or found

    @property
    def _document(self) -> DocumentId:
        return self.rendering.job.document

    @cached_property
    def _linkable(self) -> dict[str, list[DocumentId]]:
        return linkable(self.pages(Location(self._document)))

    def _warn(self, written: str, message: str, remedy: str) -> None:
        at = self.locate(written) if self.rendering.keeps_warnings else Location(self._document)
        self.rendering.warn(Problem(message, at.file, at.line, remedy))


def _is_image(name: str) -> bool:
    return posixpath.splitext(name)[1].lower() in _IMAGES


def patterns_of_images(text: str, document: DocumentId, layout: Layout) -> list[str]:
    """The patterns of the files that a document's text shows as images, also in code."""
    names = dict.fromkeys(each.strip() for each in _TAKEN_IN.findall(text))
    patterns = [_pattern_of_files(name, document, layout) for name in names if _is_image(name)]
    return [each for each in patterns if each]


def _pattern_of_files(name: str, document: DocumentId, layout: Layout) -> str | None:
    """The pattern of the files that `![[name]]` in a document may mean; None if there can be none."""
    if is_pattern(name):
        return None
    if name.startswith("."):
        wanted = resolve(name, document)
        return wanted if wanted and layout.source_of(wanted) else None
    wanted, source = posixpath.normpath(name.strip("/")), layout.source_of(document)
    return f"**/{wanted}" if source == "." else f"{source}/**/{wanted}"


def linkable(documents: Iterable[DocumentId]) -> dict[str, list[DocumentId]]:
    """The pages by the last part of the names that wiki links have for them: their stem, or their folder's name."""
    found: dict[str, list[DocumentId]] = {}
    for each in documents:
        for name in {posixpath.basename(path) for path in _link_names(each)}:
            found.setdefault(name, []).append(each)
    return found


def linked(name: str, origin: str, pages: Mapping[str, Sequence[DocumentId]]) -> list[DocumentId]:
    """The pages that a wiki link may mean: the one at that path, else in the same folder, else all that end so."""
    wanted = _link_name(name)
    found = [
        each
        for each in pages.get(posixpath.basename(wanted), ())
        if any(f"/{path}".endswith(f"/{wanted.strip('./')}") for path in _link_names(each))
    ]
    relative = _link_name(resolve(name, origin) or name)
    exact = [each for each in found if relative in _link_names(each)]
    return exact if len(exact) == 1 else found


def _link_names(document: str) -> list[str]:
    """The paths without an extension, and the folder's for its index page."""
    path = _link_name(document)
    folder, _, stem = path.rpartition("/")
    return [path, folder] if folder and stem in {"index", "readme"} else [path]


def _link_name(path: str) -> str:
    """A path as wiki links are compared: without extension, in lower case, with `-` for blanks and underscores."""
    stem, extension = posixpath.splitext(path)
    return (stem if extension in _PAGES else path).casefold().replace(" ", "-").replace("_", "-")
