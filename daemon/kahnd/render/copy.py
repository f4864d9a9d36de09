"""The `copy` renderer: the file as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

from kahnd.core.model import DocumentId, Failed, Job, Outcome, Problem, Rendered, Scan, Unmet
from kahnd.core.rules import Layout
from kahnd.ports import PRESSING
from kahnd.render.files import clear, digest_of, remedy_for
from kahnd.render.parameters import CopyParameters
from kahnd.render.rendering import Rendering


class CopyRenderer:
    """Copies bytes only: times, owners and permissions are the output folder's own."""

    name = "copy"
    version = "1"
    judges_missing = False
    parameters = CopyParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout

    def fingerprint(self, parameters: CopyParameters) -> str:
        """Nothing."""
        return ""

    def scan(self, document: DocumentId, content: bytes, parameters: CopyParameters) -> Scan:
        """Nothing."""
        return Scan()

    def render(self, job: Job, parameters: CopyParameters) -> Outcome:
        """The document's bytes, in pieces: it may be large."""
        changed = Rendering(self._root, self._layout, job).changed()
        stage = self._root / job.stage
        try:
            clear(stage)
            shutil.copyfile(self._root / job.document, stage)
        except FileNotFoundError:
            return Unmet(changed.needs, changed.problem)
        except OSError as error:
            remedy = remedy_for(error, "check its permissions, and those of .kahnd/")
            passing = error.errno in PRESSING
            return Failed(Problem(f"can't be copied: {error.strerror}", job.document, 0, remedy, passing=passing))
        copied = digest_of(stage)
        return Rendered(copied) if copied == job.content_hash else Unmet(changed.needs, changed.problem)
