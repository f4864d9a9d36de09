"""Puts the client's tag into the HTML of a page that is served. The rest of the page's bytes stays as it is.

The tag goes before the end of the head, and before a `<base>` that would move the client's address. The scan skips what
may hide a tag from a browser: comments, attributes, and elements whose content is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Final

_STOPS: Final = re.compile(
    rb"<(?:(?P<comment>!--)|(?P<end>(?:/head|body|frameset|base)(?=[\s/>]))|(?P<name>[a-z][^\s/>]*))", re.IGNORECASE
)
_TEXTS: Final = frozenset({b"script", b"style", b"title", b"textarea", b"noscript", b"template"})
_ATTRIBUTES: Final = re.compile(rb"(?:[^=>]|=\s*(?:\"[^\"]*\"|'[^']*'|(?![\"'\s])))*+>")
"""The rest of a tag: a value in quotes may hold `>`."""
_START: Final = re.compile(rb"(?>\s|<!--.*?-->)*+(?:<!doctype[^>]*>)?", re.IGNORECASE | re.DOTALL)
"""Matches all before the page's first element: a tag before the doctype would have browsers ignore that."""
MAX_HEAD_BYTES: Final = 1 << 20
"""How far the end of the head is looked for, so that no page holds up the daemon."""
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = (b"\xfe\xff", b"\xff\xfe")
"""Byte order marks of UTF-16 and UTF-32, in which the tag would be no text."""


@dataclass(frozen=True, slots=True)
class PageTag:
    """The data of the client on a page: which output of which document it shows, and how to reach the daemon.

    `base`: the way from the page to the top of the preview. `digest` is empty for a page that stands in for another.
    """

    document: str
    path: str
    digest: str
    daemon: str
    token: str

    def html(self, base: str) -> bytes:
        """Returns the tag."""
        data = {
            "document": self.document,
            "path": self.path,
            "hash": self.digest,
            "daemon": self.daemon,
            "token": self.token,
        }
        attributes = "".join(f' data-kahnd-{name}="{escape(value)}"' for name, value in data.items())
        return f'<script src="{escape(base)}_kahnd/assets/client.js"{attributes} defer></script>'.encode()


def with_tag(page: bytes, tag: bytes) -> bytes:
    """Returns the page with the tag in it; unchanged if it is in an encoding in which the tag is no text."""
    if page.startswith(_OTHER_MARKS):
        return page
    place = _end_of_head(page)
    return page[:place] + tag + page[place:]


def _end_of_head(page: bytes) -> int:
    """Returns where the tag goes: before what ends the head, or at the page's start if nothing does."""
    start = len(_UTF_8_MARK) if page.startswith(_UTF_8_MARK) else 0
    doctype = _START.match(page, start)
    first = place = doctype.end() if doctype else start
    while stop := _STOPS.search(page, place, MAX_HEAD_BYTES):
        if stop["end"]:
            return stop.start()
        if stop["comment"]:
            end = page.find(b"-->", stop.start() + len(b"<!"), MAX_HEAD_BYTES)  # `<!-->` is a whole comment
        else:
            end = _end_of_element(page, stop)
        if end < 0:
            return first
        place = end + 1
    return first


def _end_of_element(page: bytes, start: re.Match[bytes]) -> int:
    """Returns where a tag ends, or the text in an element that holds nothing else; -1 if that is nowhere."""
    name = start["name"]
    attributes = _ATTRIBUTES.match(page, start.end(), MAX_HEAD_BYTES)
    if attributes is None or name.lower() not in _TEXTS:
        return attributes.end() - 1 if attributes else -1
    closing = re.compile(rb"</" + name + rb"(?=[\s/>])", re.IGNORECASE)
    found = closing.search(page, attributes.end(), MAX_HEAD_BYTES)
    return found.start() if found else -1
