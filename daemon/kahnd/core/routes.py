"""Routes: where a document's own front matter puts its outputs, and which of its values can be a part of a path.

The scan reads the route, so that claims, recipes and URLs follow from it before anything is rendered.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from typing import Final

import msgspec

from kahnd.core.problem import Problem
from kahnd.core.text import escape_controls

META: Final = re.compile(r"meta\.([A-Za-z_][\w-]*)(?:\.(year|month|day))?", re.ASCII)
"""A placeholder for a value of the front matter; of a date, also for a part of it."""
LONGEST_NAME: Final = 200
"""Bytes; Linux allows names of 255, to which the rule's pattern adds."""
LONGEST_ROUTE: Final = 1000
MOST_ALIASES: Final = 200
_WELL_KNOWN: Final = ".well-known"
"""The one hidden folder that the web has a use for (RFC 8615)."""


class Route(msgspec.Struct, frozen=True, gc=False):
    """The places of outputs as the front matter gives them; nearly all documents have none.

    `slug` replaces the stem. `permalink`: the path of the first output from the output folder, `/a/b.html`, or `/a/b/`
    for the URL of a folder. `aliases`: paths of redirect pages, below the output folder with a leading `/`, else beside
    the page. `outputs`: the extensions of those outputs that are made; empty for all. `values`: by placeholder, those
    of the front matter that the rules' patterns name. `problem`: why there is no route; then the document fails.
    """

    slug: str = ""
    permalink: str = ""
    aliases: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    problem: Problem | None = None

    @property
    def placeholders(self) -> dict[str, str]:
        """The values of placeholders; a permalink stands for folder and stem of the outputs after the first, too."""
        if not self.permalink:
            return dict(self.values)
        folder, _, name = self.permalink.strip("/").rpartition("/")
        return {**dict(self.values), "dir": folder, "stem": posixpath.splitext(name)[0] or "index"}

    @property
    def is_folder(self) -> bool:
        """The permalink is the URL of a folder."""
        return self.permalink.endswith("/")

    def makes(self, output: str) -> bool:
        """Tells whether an output is one of those that are asked for; a folder always is."""
        return not self.outputs or output.endswith("/") or any(output.endswith(f".{each}") for each in self.outputs)


def sound(route: Route | None) -> Route | None:
    """Returns the route, unless it has a problem: then the document's place is that of its rule."""
    return None if route is None or route.problem else route


def normalized(text: str) -> str:
    """Returns a value as it stands in paths: with composed accents, as nearly all systems and links write them."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def unsafe_part(text: str) -> str | None:
    """Returns why a text can't be a part of an output's path; None if it can. It may have folders, with `/`."""
    if not text:
        return "it is empty"
    if len(text) > LONGEST_ROUTE:
        return f"it is longer than {LONGEST_ROUTE:,} characters"
    if escape_controls(text) != text:
        return "it has a control character"
    if found := next((each for each in "\\{}" if each in text), None):
        return f"it has a {found}"
    return next(filter(None, map(_unsafe_name, text.split("/"))), None)


def _unsafe_name(name: str) -> str | None:
    if not name:
        return "it begins or ends with a slash, or has two together"
    if name.startswith(".") and name != _WELL_KNOWN:
        return f"the name {name} begins with a dot"
    if name != name.strip():
        return "a name in it begins or ends with a blank"
    return f"a name in it is longer than {LONGEST_NAME} bytes" if len(name.encode()) > LONGEST_NAME else None
