"""Random projects, random edits, a real daemon: whenever it is quiet, all is as a naive evaluation says.

Whenever a project is left, it is also as a fresh build by the installed command gives it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from agreement.machine import run
from agreement.replay import Keeper
from agreement.trial import Tally

FAILURE = Path(tempfile.gettempdir()) / "kahnd-agreement.json"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.timeout(1800)  # what it takes to make a failure short, too
def test_whatever_happens_all_is_as_a_fresh_build_and_nothing_is_rendered_for_nothing(tmp_path: Path) -> None:
    tally = Tally()
    run(tmp_path, Keeper(FAILURE), tally, examples=32, step_count=60, derandomize="CI" in os.environ)
    assert tally.steps >= 2000
    assert tally.fresh >= 24
    assert tally.done > tally.documents / 2, "most documents are broken most of the time: little is shown"
