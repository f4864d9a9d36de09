"""A soak of seconds instead of half an hour, and the criteria for being flat."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e.harness import Project
from soak.flatness import findings, percentile
from soak.report import section
from soak.samples import Sample, sample
from soak.soak_project import PERIODS, SoakProject
from soak.steady import Soak

TESTS = Path(__file__).parents[1]
FLAT = [Sample(60, 150.0, 300.0, 40, 100, 12, (20.0,) * 59 + (60.0,))] * 6


@pytest.mark.slow
def test_every_kind_of_edit_has_its_effects_and_outputs_equal_a_fresh_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, period in {"reload": 11, "part": 5, "break": 6, "rename": 7, "title": 4}.items():
        monkeypatch.setitem(PERIODS, kind, period)
    soak = Soak(SoakProject(Project(tmp_path / "soak"), pages=20, seed=1), every_s=0, edits_a_sample=10)
    assert soak.run(samples=3)
    assert soak.kinds.keys() == {*PERIODS, "page", "list", "mend"}
    for each in soak.samples:
        assert each.daemon_mb > 10
        assert each.family_mb >= each.daemon_mb
        assert each.descriptors > 5
        assert each.threads > 0
        assert len(each.latencies) >= 5


@pytest.mark.slow
def test_the_program_writes_its_findings_into_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Reliability\n\n## A soak\n\nold\n\n## Faults\n\nkept\n")
    words = ["--minutes", "0", "--every", "0.01", "--sample", "3", "--pages", "10", "--page", str(page)]
    path = os.pathsep.join([str(TESTS), str(TESTS.parent / "benchmarks")])
    done = subprocess.run(
        [sys.executable, "-m", "soak.steady", *words],
        cwd=TESTS,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    text = page.read_text()
    assert "9 edits" in text
    assert "were those of a fresh build" in text
    assert "\nold\n" not in text
    assert "\n## Faults\n\nkept\n" in text
    assert ("**not flat**" in text) == (done.returncode == 1)


def test_constant_samples_are_flat() -> None:
    assert all(each.flat for each in findings(FLAT))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"daemon_mb": 180.0}, "memory of the daemon"),
        ({"family_mb": 345.0}, "memory with its workers"),
        ({"descriptors": 43}, "descriptors"),
        ({"engine_descriptors": 130}, "engine"),
        ({"threads": 15}, "threads"),
        ({"latencies": (30.0,) * 59 + (60.0,)}, "median"),
        ({"latencies": (20.0,) * 59 + (90.0,)}, "99th percentile"),
    ],
)
def test_growing_samples_are_not_flat(change: dict[str, Any], named: str) -> None:
    samples = [*FLAT[:4], *[replace(each, **change) for each in FLAT[4:]]]
    (grown,) = [each for each in findings(samples) if not each.flat]
    assert named in grown.quantity.name
    assert "**not flat**" in section(samples, {"page": 360}, 100, findings(samples), matches=True)


def test_percentile() -> None:
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([5.0], 0.5) == 5
    assert percentile([], 0.5) == 0


def test_a_sample_covers_the_process_and_its_children() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        here = sample(os.getpid(), 1, [1.0])
    finally:
        child.kill()
        child.wait()
    assert here.family_mb > here.daemon_mb > 1
    assert here.descriptors >= 3
    assert here.threads >= 1
