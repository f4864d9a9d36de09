"""From the address that a browser asks for to the path of an output. Decided once, by the text alone.

A path is decoded once, segment by segment. An address that means another path to one reader than to the next (an
encoded slash, a backslash, `..`, an empty segment) is refused, so nothing after this looks at the address again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from kahnd.core.rules import LONGEST_PATH

INDEX: Final = "index.html"
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_IN_TARGETS: Final = re.compile(r"[^!-~]")
_NOT_IN_PATHS: Final = re.compile(r"[\\\"<>`{}#]")
"""Characters that browsers encode in a path, or never send; the backslash they turn into a slash."""
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x1f\x7f/\\]")


@dataclass(frozen=True, slots=True)
class OutputAddress:
    """The address of an output.

    `path`: relative to the output folder; empty for that folder itself. `last`: the last segment as the browser sent
    it. `is_folder`: the address ends with a slash. `depth`: the number of folders that it is in.
    """

    path: str
    last: str
    is_folder: bool
    depth: int
    query: str = ""

    @property
    def file(self) -> str:
        """The path of the file that it names: for a folder, that of its index."""
        return f"{self.path}/{INDEX}".lstrip("/") if self.is_folder else self.path

    @property
    def index(self) -> str:
        """The path of the index that is there if the address is that of a folder without its slash."""
        return f"{self.path}/{INDEX}"

    @property
    def as_folder(self) -> str:
        """The same address with a slash at its end, relative to itself; so it holds below any base path."""
        return f"./{self.last}/{self.query}"

    @property
    def base(self) -> str:
        """The way from here to the top of the preview, with a slash at its end."""
        return "../" * self.depth or "./"


@dataclass(frozen=True, slots=True)
class RefusedAddress:
    """An address that can't be one of an output, and why."""

    reason: str


def output_address(target: str) -> OutputAddress | RefusedAddress:
    """Returns what a request's target (path and query, as they came) means."""
    path, mark, query = target.partition("?")
    if not path.startswith("/"):
        return RefusedAddress("the address is not a path")
    if len(path) > 3 * LONGEST_PATH:
        return RefusedAddress("the path is too long")
    if _NOT_IN_TARGETS.search(target) or _NOT_IN_PATHS.search(path) or _BROKEN_ESCAPE.search(path):
        return RefusedAddress("the path has characters that must be encoded, or a broken escape")
    *folders, last = path[1:].split("/")
    names = [_decoded(each) for each in (*folders, *([last] if last else []))]
    if None in names:
        return RefusedAddress("the path has an empty or a dotted segment, or an encoded slash or control character")
    whole = "/".join(map(str, names))
    if len(f"{whole}/{INDEX}") > LONGEST_PATH:
        return RefusedAddress("the path is too long")
    shown = last or (folders[-1] if folders else "")
    return OutputAddress(whole, shown, is_folder=not last, depth=len(folders), query=f"{mark}{query}")


def shown_path(path: str) -> str:
    """Returns the address of an output, relative to the top of the preview: that of its folder if it is an index."""
    shown = path.removesuffix(INDEX) if path == INDEX or path.endswith(f"/{INDEX}") else path
    return quote(shown)


def _decoded(segment: str) -> str | None:
    """Returns the name that a segment stands for; None if no file may have it."""
    try:
        name = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None
    return None if name in {"", ".", ".."} or _NOT_IN_NAMES.search(name) else name
