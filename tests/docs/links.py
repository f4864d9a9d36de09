"""Checks the links of a built site: every file and every anchor that a page links to must be there.

`python tests/docs/links.py docs/site` prints what is not, and ends with 1 then; `make docs` calls it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LINKING: Final = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src", "iframe": "src"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[int, str, str]] = []
        self.anchors: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if link := given.get(_LINKING.get(tag, "")):
            self.links.append((self.getpos()[0], tag, link))
        if anchor := given.get("id"):
            self.anchors.append(anchor)


@dataclass(frozen=True)
class Site:
    """A folder of pages."""

    root: Path
    _read: dict[Path, _Reader] = field(default_factory=dict)

    @cached_property
    def pages(self) -> list[Path]:
        """All of its pages."""
        return sorted(self.root.resolve().rglob("*.html"))

    def faults(self) -> Iterator[str]:
        """A line for each link that leads nowhere, is asked of somebody else, or is not sure where it leads."""
        for page in self.pages:
            reader = self._reader(page)
            for anchor in sorted({each for each in reader.anchors if reader.anchors.count(each) > 1}):
                yield f"{page.relative_to(self.root.resolve())}: two elements have the id {anchor}"
            for line, tag, link in reader.links:
                if fault := self._fault(page, tag, link):
                    yield f"{page.relative_to(self.root.resolve())}:{line}: {link} {fault}"

    def _fault(self, page: Path, tag: str, link: str) -> str:
        parts = urlsplit(link)
        if parts.scheme == "data":
            return ""
        if parts.scheme or parts.netloc:
            return "" if tag == "a" else "is asked of another machine"
        if parts.path.startswith("/"):
            return "is absolute: it does not work from file://"
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if not target.is_file():
            return "is not there"
        known = self._reader(target).anchors if target.suffix == ".html" else []
        return f"has no #{parts.fragment}" if parts.fragment and unquote(parts.fragment) not in known else ""

    def _reader(self, page: Path) -> _Reader:
        if page not in self._read:
            self._read[page] = _Reader()
            self._read[page].feed(page.read_text())
        return self._read[page]


def main() -> int:
    """Of the folder that is named."""
    faults = list(Site(Path(sys.argv[1])).faults())
    print(*faults, sep="\n", end="\n" if faults else "")  # noqa: T201  what it is for
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
