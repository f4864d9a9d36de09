"""`kahnd history --trace`: with a daemon, and of a build without one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.harness import Project


def slices(trace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in trace["traceEvents"] if each["ph"] == "X"}


@pytest.fixture
def chain(project: Project) -> Project:
    project.write_all({"docs/a.txt": "one", "docs/b.sum": "needs a.txt", "docs/c.txt": "alone"})
    return project


@pytest.mark.smoke
def test_a_build_without_a_daemon_is_traced_from_the_history(chain: Project) -> None:
    chain.build()
    told = chain.kahnd("history", "--trace", "last", "-o", "build.json").stdout
    assert "3 renderings by" in told
    assert "ui.perfetto.dev" in told
    trace = json.loads(chain.read("build.json"))
    found = slices(trace)
    assert found.keys() == {"docs/a.txt", "docs/b.sum", "docs/c.txt"}
    assert found["docs/b.sum"]["args"]["waited_for"] == "docs/a.txt"
    assert found["docs/b.sum"]["ts"] >= found["docs/a.txt"]["ts"] + found["docs/a.txt"]["dur"]
    assert any(each["ph"] == "f" for each in trace["traceEvents"])
    assert any("critical" in each["cat"] for each in found.values())
    assert trace["otherData"]["from_history"] is True


def test_a_daemon_tells_its_last_build_from_memory(chain: Project) -> None:
    with chain.daemon():
        chain.write("docs/a.txt", "two")
        chain.kahnd("wait")
        trace = json.loads(chain.kahnd("history", "--trace", "last", "-o", "-").stdout)
        assert slices(trace).keys() == {"docs/a.txt", "docs/b.sum"}
        assert trace["otherData"]["from_history"] is False
        assert trace["otherData"]["cause"] == "docs/a.txt saved"
        build = trace["otherData"]["build"]
    again = chain.kahnd("history", "--trace", build, "--json").json
    assert {each["document"] for each in again["spans"]} == {"docs/a.txt", "docs/b.sum"}


def test_mistakes_are_told_with_a_way_out(chain: Project) -> None:
    chain.build()
    unknown = chain.kahnd("history", "--trace", "1999", "-o", "-", code=2).stderr
    assert "there is no build 1999" in unknown
    assert "the newest: 2" in unknown
    assert "-o FILE" in chain.kahnd("history", "--trace", "last", code=2).stderr
    assert "--trace" in chain.kahnd("history", "-o", "x.json", code=2).stderr
    assert "whole build" in chain.kahnd("history", "docs/a.txt", "--trace", "last", "-o", "-", code=2).stderr
    assert "can't write" in chain.kahnd("history", "--trace", "last", "-o", "none/x.json", code=2).stderr
