"""The answers of the operations: the JSON shapes of the contract, from a project in memory."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from core.world import at_rest
from kahnd import __version__
from kahnd.api import answers, schemas
from kahnd.api.schemas import plain
from kahnd.app import operations
from kahnd.app.status import DaemonIdentity, StatusSnapshot, StoreStatus, WatchStatus, counts, problems
from kahnd.core.builds import Tally, report
from kahnd.core.events import BuildReport
from kahnd.core.explanation import plan_build
from kahnd.core.model import DocumentId, Problem
from kahnd.engine import TimedReport

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


def test_status_lists_counts_failures_and_the_last_build() -> None:
    world = at_rest(BROKEN)
    graph = world.machine.graph
    rest = StatusSnapshot(
        "idle",
        counts=counts(graph),
        problems=problems(graph)[0],
        last_build=world.builds[-1],
        watch=WatchStatus("by hand"),
        store=StoreStatus("mem://"),
        daemon=DaemonIdentity("book", "/book", 7),
    )
    told = plain(operations.status_answer(rest), answers.Status)
    assert told["documents"] == {"total": 8, "done": 2, "dirty": 0, "failed": 3, "blocked": 2, "missing": 1}
    assert [each["document"] for each in told["failures"]] == ["docs/a.md", "docs/x.md", "docs/y.md"]
    assert told["failures"][0] == {
        "document": "docs/a.md",
        "error": "docs/a.md: told to fail",
        "message": "told to fail",
        "file": "docs/a.md",
    }
    assert told["last_build"]
    assert told["last_build"].keys() >= {
        *("id", "cause", "rendered", "skipped", "failed", "blocked", "removed", "duration_ms", "generations"),
    }
    assert (told["project"], told["root"], told["pid"], told["state"]) == ("book", "/book", 7, "idle")
    assert told["watch"] == {"backend": "by hand", "overflows": 0, "rescans": 0, "unwatched": []}
    assert told["store"] == {"url": "mem://"}
    assert told["version"] == __version__


def test_status_of_a_project_that_was_never_built() -> None:
    told = plain(operations.status_answer(StatusSnapshot("stopped")), answers.Status)
    assert told["last_build"] is None
    assert told["documents"]["total"] == 0
    assert (told["pid"], told["state"]) == (None, "stopped")


def test_a_plan_lists_documents_by_generation_with_reasons() -> None:
    world = at_rest({"docs/a.md": "one", "docs/b.md": "output docs/a.md"})
    world.slots = 0
    world.sources.write("docs/a.md", "two")
    world.start()
    assert plain(operations.plan_answer(plan_build(world.machine)), answers.Plan) == {
        "generations": [["docs/a.md"], ["docs/b.md"]],
        "reasons": {"docs/a.md": "content changed", "docs/b.md": "needs docs/a.md"},
        "cycles": [],
    }


def test_a_plan_lists_cycles() -> None:
    assert plain(operations.plan_answer(plan_build(at_rest(BROKEN).machine)), answers.Plan)["cycles"] == [CYCLE]


def test_a_report_lists_failures_blocked_documents_and_cycles() -> None:
    machine = at_rest(BROKEN).machine
    told = plain(operations.report_answer(TimedReport(report(machine.graph, Tally()), 1.23456)), answers.Report)
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


def test_a_report_lists_rendered_skipped_and_removed_documents() -> None:
    done = BuildReport((DocumentId("a"),), (DocumentId("b"),), removed=("site/c",))  # type: ignore[arg-type]
    told = plain(operations.report_answer(TimedReport(done, 0)), answers.Report)
    assert (told["rendered"], told["skipped"], told["removed"]) == (["a"], ["b"], ["site/c"])


def test_a_failure_contains_the_renderers_output() -> None:
    failed = ((DocumentId("a"), Problem("failed", "a", detail="line 1\nline 2")),)
    told = plain(operations.report_answer(TimedReport(BuildReport(failed=failed), 0)), answers.Report)
    assert told["failed"] == [
        {"document": "a", "error": "a: failed", "message": "failed", "file": "a", "output": "line 1\nline 2"}
    ]


def test_the_graph_with_its_edges_from_dependent_to_dependency() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt\npages docs/*.txt", "docs/p.txt": ""})
    told = plain(operations.graph_answer(world.machine.graph, None), answers.Graph)
    assert told["nodes"] == [
        {"id": "/docs/*.txt", "status": "DONE", "rule": None, "output": None, "collection": True},
        {
            "id": "docs/a.md",
            "status": "DONE",
            "rule": "docs/**/*.md",
            "output": "site/a.html",
            "outputs": ["site/a.html"],
        },
        {"id": "docs/p.txt", "status": "DONE", "rule": None, "output": None},
    ]
    assert {(each["from"], each["to"], each["kind"]) for each in told["edges"]} == {
        ("docs/a.md", "docs/p.txt", "include"),
        ("docs/a.md", "docs/p.txt", "page"),
        ("docs/a.md", "/docs/*.txt", "collection"),
    }


def test_a_part_of_the_graph_has_no_edges_that_lead_out_of_it() -> None:
    world = at_rest({"docs/a.md": "include docs/p.txt", "docs/p.txt": ""})
    told = plain(operations.graph_answer(world.machine.graph, {DocumentId("docs/a.md")}), answers.Graph)
    assert ([each["id"] for each in told["nodes"]], told["edges"]) == (["docs/a.md"], [])


def test_dependents_are_transitive_and_end_on_a_cycle() -> None:
    graph = at_rest(BROKEN).machine.graph
    assert operations.dependents(graph, {DocumentId("docs/a.md")}) == {"docs/a.md", "docs/b.md", "docs/index.md"}
    assert operations.dependents(graph, {DocumentId("docs/x.md")}) >= {"docs/x.md", "docs/y.md"}


TYPED: dict[Any, Any] = {
    answers.Status: schemas.DaemonStatus,
    **{
        typed: getattr(schemas, typed.__name__)
        for typed in (
            *(answers.Problem, answers.Configured, answers.Documents, answers.Failure, answers.Blocked),
            *(answers.Warned, answers.Build, answers.Watch, answers.Store, answers.Plan, answers.Node, answers.Edge),
            *(answers.Graph, answers.Reason, answers.Render, answers.Why, answers.History, answers.Report),
        )
    },
}


@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: typed.__name__)
def test_an_answer_as_the_command_line_reads_it_has_the_keys_of_its_schema(typed: Any) -> None:
    fields = msgspec.structs.fields(TYPED[typed])
    assert typed.__required_keys__ | typed.__optional_keys__ == {each.encode_name for each in fields}
    assert typed.__required_keys__ <= {each.encode_name for each in fields if each.required}
