"""The `copy` renderer: the file as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from kahnd.core.model import DocumentId, Failed, Job, Outcome, Problem, Rendered, Scan, Unmet
from kahnd.core.rules import Layout
from kahnd.platform.files import hash_file, remedy_for, remove_any
from kahnd.ports import PRESSING
from kahnd.render.context import RenderContext
from kahnd.render.files import place_of
from kahnd.render.renderers.parameters import CopyParameters


class CopyRenderer:
    """Copies bytes only, not times, owners and permissions."""

    name = "copy"
    version = "1"
    judges_missing = False
    parameters = CopyParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout

    def fingerprint(self, parameters: CopyParameters) -> str:
        """Nothing beyond the renderer's version."""
        return ""

    def scan(self, document: DocumentId, content: bytes, parameters: CopyParameters) -> Scan:
        """No dependencies."""
        return Scan()

    def render(self, job: Job, parameters: CopyParameters) -> Outcome:
        """Copy the document without reading it as a whole, since it may be large."""
        changed = RenderContext(self._root, self._layout, job).changed()
        stage = self._root / job.stage
        try:
            remove_any(stage)
            shutil.copyfile(self._root / place_of(self._root, job.document), stage)
        except FileNotFoundError:
            return Unmet(changed.needs, changed.problem)
        except OSError as error:
            remedy = remedy_for(error, "check its permissions, and those of .kahnd/")
            passing = error.errno in PRESSING
            return Failed(Problem(f"can't be copied: {error.strerror}", job.document, 0, remedy, passing=passing))
        copied = hash_file(stage)
        return Rendered(copied) if copied == job.content_hash else Unmet(changed.needs, changed.problem)
