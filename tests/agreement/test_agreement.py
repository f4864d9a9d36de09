"""Random projects, random edits, and a real daemon: once everything is rendered, all is as a naive evaluation says.

At its end, each project also equals a fresh build by the installed command.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from agreement.replay import Keeper
from agreement.state_machine import run
from agreement.trial import Tally

EXAMPLES, STEPS = 4, 60
FAILURE = Path(tempfile.gettempdir()) / "kahnd-agreement.json"
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@pytest.mark.slow
@pytest.mark.timeout(1800)  # enough to shrink a failure, too
def test_outputs_always_equal_a_fresh_build_without_unnecessary_renderings(tmp_path: Path) -> None:
    """`make agreement` tries projects for as long as one likes."""
    tally = Tally()
    run(tmp_path, Keeper(FAILURE), tally, examples=EXAMPLES, step_count=STEPS, derandomize="CI" in os.environ)
    assert tally.steps >= EXAMPLES * STEPS
    assert tally.fresh >= EXAMPLES
    assert tally.done > tally.documents / 2, "most documents are broken most of the time: little is shown"
