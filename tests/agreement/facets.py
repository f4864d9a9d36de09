"""The parts of a document that others can use without the rest."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Final

from agreement.blocks import Heading
from agreement.language import Document, Matter, Text, body, is_page, source


class NotDoneError(Exception):
    """A rendering fails or is blocked."""


def matter_of(path: str, document: Document) -> Matter:
    """Returns the front matter. Raises NotDoneError if it is broken."""
    if not isinstance(document, Text) or not is_page(path):
        return Matter()
    if document.broken in {"unclosed", "yaml"}:
        raise NotDoneError
    return document.matter


def title_of(path: str, document: Document) -> str:
    """Returns the title from the front matter, the heading, or the file's name."""
    return matter_of(path, document).title or next(iter(headings_of(path, document)), stem(path))


def headings_of(path: str, document: Document) -> tuple[str, ...]:
    """Returns the headings that a text shows."""
    if not isinstance(document, Text):
        return ()
    top = (document.heading,) if document.heading and is_page(path) else ()
    return (*top, *(item.word for item in document.items if isinstance(item, Heading)))


def text_of(path: str, document: Document) -> str:
    """Returns the text after the front matter, which must be closed."""
    if not isinstance(document, Text) or not is_page(path):
        return source(path, document)
    if document.broken == "unclosed":
        raise NotDoneError
    return body(path, document)


def rank_of(path: str, document: Document) -> int:
    """Returns a value of the front matter; 0 if there is none."""
    return matter_of(path, document).rank


def stem(path: str) -> str:
    """Returns a file's name without its ending."""
    return posixpath.splitext(posixpath.basename(path))[0]


def anchors_of(path: str, document: Document) -> tuple[tuple[str, ...], bool, str]:
    """Returns all that shows which ids a page has: headings, whether it has template code, and its layout."""
    return headings_of(path, document), "{" in text_of(path, document), matter_of(path, document).template


FACETS: Final[dict[str, Callable[[str, Document], object]]] = {
    "title": title_of,
    "text": text_of,
    "front matter": matter_of,
    "anchors": anchors_of,
}
