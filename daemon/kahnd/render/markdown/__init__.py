"""Markdown to HTML: front matter, the text as a template, extensions of CommonMark, and coloured code."""

from __future__ import annotations

import re
from typing import Final, Literal, Protocol

import msgspec

_LEVELS: Final = re.compile(r"[1-6](?:-[1-6])?")


class MarkdownOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The extensions that a page rule turns on; all are off at first, so that no page changes its meaning.

    `math`: "mathml" renders it, `true` leaves it to a script. `toc`: also the levels to show, such as "2-3". `code`:
    titles, line numbers, marked lines and files of code fences.
    """

    math: bool | Literal["mathml"] = False
    admonitions: bool = False
    attributes: bool = False
    code: bool = False
    definition_lists: bool = False
    smart_quotes: bool = False
    toc: bool | str = False
    wiki_links: bool = False

    def check(self) -> list[str]:
        """Errors in the values beyond their types, one sentence each."""
        if isinstance(self.toc, bool) or _LEVELS.fullmatch(self.toc):
            return []
        return [f'`markdown`: toc is true or levels such as "2-3", not {self.toc!r}']

    @property
    def toc_levels(self) -> range:
        """The levels of headings that `[TOC]` shows; none if the option is off."""
        if isinstance(self.toc, bool):
            return range(1, 7) if self.toc else range(0)
        return range(int(self.toc[0]), int(self.toc[-1]) + 1)


class PageReading(Protocol):
    """How the text of pages is read: a part of a page rule's parameters."""

    @property
    def templating(self) -> bool:
        """Whether the text is a template."""
        ...

    @property
    def markdown(self) -> MarkdownOptions:
        """The extensions of Markdown."""
        ...
