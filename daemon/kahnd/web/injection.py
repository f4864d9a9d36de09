"""Puts the client's tag into the HTML of a page that is served. The rest of the page's bytes stays as it is.

The tag goes before the end of the head, and before a `<base>` that would move the client's address. The scan looks only
for what may hide a tag from a browser: comments, and elements whose content is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import Final

_STOPS: Final = re.compile(
    rb"<(?:(?P<comment>!--)|(?P<text>script|style|title|textarea|noscript|template)(?=[\s/>])"
    rb"|(?:/head|body|frameset|base)(?=[\s/>]))",
    re.IGNORECASE,
)
_START: Final = re.compile(rb"\s*(?:<!doctype[^>]*>)?", re.IGNORECASE)
MAX_HEAD_BYTES: Final = 1 << 20
"""How far the end of the head is looked for, so that no page holds up the daemon."""
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_OTHER_MARKS: Final = (b"\xfe\xff", b"\xff\xfe")
"""Byte order marks of UTF-16 and UTF-32, in which the tag would be no text."""


@dataclass(frozen=True, slots=True)
class PageTag:
    """What the client on a page knows: which output of which document it shows, and how to reach the daemon.

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
        if stop["comment"]:
            end = page.find(b"-->", stop.start() + len(b"<!"), MAX_HEAD_BYTES)  # `<!-->` is a whole comment
        elif name := stop["text"]:
            closing = re.compile(rb"</" + name + rb"(?=[\s/>])", re.IGNORECASE).search(page, stop.end(), MAX_HEAD_BYTES)
            end = closing.start() if closing else -1
        else:
            return stop.start()
        if end < 0:
            return first
        place = end + 1
    return first
