"""A thousand documents, each over the one before: no depth is too deep."""

from __future__ import annotations

import subprocess
import time

import pytest

from e2e.harness import Project
from e2e.rules import SUMS

LENGTH = 1000
BOUND_S = 400


def _expected(first: bytes) -> str:
    """Returns the content of the last output of a short chain, by the same command outside kahnd."""
    ran = subprocess.run(["cksum"], input=first, capture_output=True, check=True)
    return ran.stdout.decode().split()[0]


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_a_chain_of_a_thousand_builds_and_an_edit_of_its_first_renders_all(project: Project) -> None:
    project.configure(SUMS)
    project.write_all({f"docs/{number:04}.sum": f"needs {number - 1:04}.sum\n" for number in range(1, LENGTH)})
    project.write("docs/0000.sum", "first\n")
    answer = project.build(within_s=BOUND_S)
    assert answer["rendered"] == [f"docs/{number:04}.sum" for number in range(LENGTH)]
    before = project.output("0999.cksum")
    with project.daemon():
        mark = project.mark()
        began = time.monotonic()
        project.write("docs/0000.sum", "another first\n")
        project.wait(within_s=BOUND_S)
        assert time.monotonic() - began < BOUND_S
        assert len(project.rendered(mark)) == LENGTH
        assert project.output("0000.cksum").split()[0] == _expected(b"another first\n")
        assert project.output("0999.cksum") != before
        assert project.output("0999.cksum").split()[3] == _expected(project.output("0998.cksum").encode())
