from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import Corner, Daemon, Project
from e2e.rules import COPIES, FIRST_LINES, PAGES, SCRIPTS, SUMS, TEXTS


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a rule of each simple sort, and no documents."""
    project = Project(tmp_path / "project")
    project.configure(PAGES, TEXTS, SUMS, FIRST_LINES, SCRIPTS, COPIES)
    project.path("docs").mkdir()
    return project


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for a module's tests: each keeps to a folder of its own in `docs/`, and leaves nothing broken."""
    project = Project(tmp_path_factory.mktemp("live") / "project")
    project.configure(PAGES, TEXTS, SUMS, FIRST_LINES, SCRIPTS, COPIES)
    project.write("docs/bystander.txt", "here all along")
    with project.daemon() as daemon:
        yield daemon


@pytest.fixture
def corner(live: Daemon, request: pytest.FixtureRequest) -> Corner:
    """A folder of the test's own in the module's daemon."""
    return Corner(live.project, re.sub(r"\W+", "-", request.node.name))
