"""A renderer of somebody else's whose search for dependencies may take for ever, and keeps the interpreter busy."""

from __future__ import annotations

from typing import Final

from e2e.harness import Project
from e2e.rules import rule

EXPRESSION: Final = "(a+)+needs"
"""Tries all ways to cut a row of the letter a into pieces: twice as many for each more."""
RULE: Final = rule("docs/*.knot", "knot", "{stem}")
_PACKAGE: Final = f"""\
import re

import msgspec

from kahnd.core.model import Scan
from kahnd.render.renderers.copy import CopyRenderer


class Parameters(msgspec.Struct, frozen=True):
    pass


class Knot(CopyRenderer):
    name = "knot"
    parameters = Parameters

    def scan(self, document, content, parameters):
        re.search(b"{EXPRESSION}", content)
        return Scan()
"""


def install(project: Project) -> str:
    """Put its package beside the project; what PYTHONPATH must be for kahnd to find it."""
    site = project.root.parent / "packages"
    about = site / "knots-1.dist-info"
    about.mkdir(parents=True)
    (site / "knots.py").write_text(_PACKAGE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: knots\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[kahnd.renderers]\nknot = knots:Knot\n")
    return str(site)
