"""The JSON shapes of the contract, from a project in memory."""

from __future__ import annotations

from core.world import World, at_rest
from kahnd import __version__
from kahnd.core.builds import Tally, report
from kahnd.core.messages import Report
from kahnd.core.model import DocumentId, Problem
from kahnd.core.preview import preview
from kahnd.engine import Answered
from kahnd.service import present
from kahnd.service.api.shapes import Watch, plain

BROKEN = {
    "docs/a.md": "fail",
    "docs/b.md": "output docs/a.md",
    "docs/index.md": "pages docs/*.md\ninclude docs/p.txt",
    "docs/p.txt": "",
    "docs/x.md": "output docs/y.md",
    "docs/y.md": "output docs/x.md",
    "docs/z.md": "include docs/nowhere.md",
}
CYCLE = ["docs/x.md", "docs/y.md", "docs/x.md"]


def test_status() -> None:
    world = at_rest(BROKEN)
    record = world.builds[-1]
    watch = Watch("by hand", 0, 0, ())
    told = plain(
        present.status("book", "/book", world.machine.graph, record, pid=7, state="idle", watch=watch, store="mem://")
    )
    assert told["documents"] == {"total": 8, "done": 2, "dirty": 0, "failed": 3, "blocked": 2, "missing": 1}
    assert [each["document"] for each in told["failures"]] == ["docs/a.md", "docs/x.md", "docs/y.md"]
    assert told["failures"][0] == {
        "document": "docs/a.md",
        "error": "docs/a.md: told to fail",
        "message": "told to fail",
        "file": "docs/a.md",
    }
    assert told["last_build"].keys() >= {
        *("id", "cause", "rendered", "skipped", "failed", "blocked", "removed", "duration_ms", "generations"),
    }
    assert (told["project"], told["root"], told["pid"], told["state"]) == ("book", "/book", 7, "idle")
    assert told["watch"] == {"backend": "by hand", "overflows": 0, "rescans": 0, "unwatched": []}
    assert told["store"] == {"url": "mem://"}
    assert told["version"] == __version__


def test_status_of_a_project_that_was_never_built() -> None:
    graph, watch = World().machine.graph, Watch(None, 0, 0, ())
    told = plain(present.status("book", "/book", graph, None, pid=None, state="stopped", watch=watch, store="mem://"))
    assert told["last_build"] is None
    assert told["documents"]["total"] == 0
    assert (told["pid"], told["state"]) == (None, "stopped")


def test_plan() -> None:
    world = at_rest({"docs/a.md": "one", "docs/b.md": "output docs/a.md"})
    world.slots = 0
    world.sources.write("docs/a.md", "two")
    world.start()
    assert plain(present.plan(preview(world.machine))) == {
        "generations": [["docs/a.md"], ["docs/b.md"]],
        "reasons": {"docs/a.md": "content changed", "docs/b.md": "needs docs/a.md"},
        "cycles": [],
    }


def test_plan_with_cycles() -> None:
    assert plain(present.plan(preview(at_rest(BROKEN).machine)))["cycles"] == [CYCLE]


def test_a_report() -> None:
    machine = at_rest(BROKEN).machine
    told = plain(present.answered(Answered(report(machine.graph, Tally()), 1.23456)))
    assert told["failed"][0] == {
        "document": "docs/a.md",
        "error": "docs/a.md: told to fail",
        "message": "told to fail",
        "file": "docs/a.md",
    }
    assert told["blocked"][0] == {
        "document": "docs/b.md",
        "because": "docs/a.md",
        "error": "docs/b.md:1: needs docs/a.md, which failed",
        "message": "needs docs/a.md, which failed",
        "file": "docs/b.md",
        "line": 1,
    }
    assert (told["cycles"], told["duration_ms"]) == ([CYCLE], 1.23)


def test_a_report_of_what_was_done() -> None:
    done = Report((DocumentId("a"),), (DocumentId("b"),), removed=("site/c",))  # type: ignore[arg-type]
    told = plain(present.answered(Answered(done, 0)))
    assert (told["rendered"], told["skipped"], told["removed"]) == (["a"], ["b"], ["site/c"])


def test_what_a_renderer_said_is_told_with_the_failure() -> None:
    failed = ((DocumentId("a"), Problem("failed", "a", detail="line 1\nline 2")),)
    told = plain(present.answered(Answered(Report(failed=failed), 0)))
    assert told["failed"] == [
        {"document": "a", "error": "a: failed", "message": "failed", "file": "a", "output": "line 1\nline 2"}
    ]


def test_the_graph_with_its_edges_from_dependent_to_dependency() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt\npages docs/*.txt", "docs/p.txt": ""})
    told = plain(present.graph_of(world.machine.graph, None))
    assert told["nodes"] == [
        {"id": "/docs/*.txt", "status": "DONE", "rule": None, "output": None, "collection": True},
        {"id": "docs/a.md", "status": "DONE", "rule": "docs/**/*.md", "output": "site/a.html"},
        {"id": "docs/p.txt", "status": "DONE", "rule": None, "output": None},
    ]
    assert {(each["from"], each["to"], each["kind"]) for each in told["edges"]} == {
        ("docs/a.md", "docs/p.txt", "include"),
        ("docs/a.md", "docs/p.txt", "page"),
        ("docs/a.md", "/docs/*.txt", "collection"),
    }


def test_a_part_of_the_graph_has_no_edges_that_lead_out_of_it() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt", "docs/p.txt": ""})
    told = plain(present.graph_of(world.machine.graph, {DocumentId("docs/a.md")}))
    assert ([each["id"] for each in told["nodes"]], told["edges"]) == (["docs/a.md"], [])


def test_dependents_are_transitive_and_end_on_a_cycle() -> None:
    graph = at_rest(BROKEN).machine.graph
    assert present.dependents(graph, {DocumentId("docs/a.md")}) == {"docs/a.md", "docs/b.md", "docs/index.md"}
    assert present.dependents(graph, {DocumentId("docs/x.md")}) >= {"docs/x.md", "docs/y.md"}
