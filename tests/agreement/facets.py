"""What of a document others can use without the rest of it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Final

from agreement.language import Document, Matter, Text, body, is_page, source


class NotDoneError(Exception):
    """A rendering does not come to its end."""


def matter_of(path: str, document: Document) -> Matter:
    """Its front matter. Raises NotDoneError where that is broken."""
    if not isinstance(document, Text) or not is_page(path):
        return Matter()
    if document.broken in {"unclosed", "yaml"}:
        raise NotDoneError
    return document.matter


def title_of(path: str, document: Document) -> str:
    """The front matter's, else the heading, else the file's name."""
    heading = document.heading if isinstance(document, Text) and is_page(path) else ""
    return matter_of(path, document).title or heading or stem(path)


def text_of(path: str, document: Document) -> str:
    """All after the front matter, which has to have an end."""
    if not isinstance(document, Text) or not is_page(path):
        return source(path, document)
    if document.broken == "unclosed":
        raise NotDoneError
    return body(path, document)


def rank_of(path: str, document: Document) -> int:
    """A front matter's value; 0 for none."""
    return matter_of(path, document).rank


def stem(path: str) -> str:
    """A file's name without its ending."""
    return posixpath.splitext(posixpath.basename(path))[0]


FACETS: Final[dict[str, Callable[[str, Document], object]]] = {
    "title": title_of,
    "text": text_of,
    "front matter": matter_of,
}
