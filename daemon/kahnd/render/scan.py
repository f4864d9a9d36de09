"""Finds a document's dependencies in its bytes: the way of the rule that renders it, or its neighbours."""

from __future__ import annotations

import mimetypes
from typing import Final

from kahnd.core.model import DocumentId, Scan
from kahnd.core.rules import Layout
from kahnd.ports import Renderers
from kahnd.render.files import ProblemError, decode
from kahnd.render.static import StaticScan

_BINARY: Final = ("image/", "audio/", "video/", "font/", "application/zip", "application/pdf", "application/gzip")


class DocumentScanner:
    """A plain document that no rule fits even by its path is scanned as a template, which it may be included as."""

    def __init__(self, layout: Layout, renderers: Renderers) -> None:
        self._layout = layout
        self._renderers = renderers
        self._static = StaticScan(layout)

    def wants(self, document: DocumentId) -> bool:
        """Whether the bytes can tell anything; a picture or a copied file is hashed in a stream instead."""
        rule = self._layout.scanned_as(document)
        if rule is not None:
            return bool(getattr(rule.parameters, "scans", True))
        kind = mimetypes.guess_type(document)[0] or ""
        return kind == "image/svg+xml" or not kind.startswith(_BINARY)

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        """What is found; nothing in what can't be read as text. What goes beyond a limit is the document's problem."""
        rule = self._layout.scanned_as(document)
        try:
            if rule is not None:
                return self._renderers[rule.renderer].scan(document, content, rule.parameters)
            return self._plain(document, content)
        except ProblemError as error:
            return Scan(problem=error.problem)

    def _plain(self, document: DocumentId, content: bytes) -> Scan:
        """Of a file that no rule renders, and that may never be used as a template: nothing where it is no good one."""
        if b"{%" not in content and b"{{" not in content:
            return Scan()
        try:
            return Scan(self._static.of_template(document, decode(content, document)))
        except ProblemError:
            return Scan()
