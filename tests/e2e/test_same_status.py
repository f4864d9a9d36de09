"""Every command tells the same status of the same document, with a daemon and without one."""

from __future__ import annotations

from typing import Any

from e2e.harness import Project
from e2e.rules import PAGES, rule

SAME = rule("docs/same.*", "copy", "same")
FILES = {
    "docs/ok.md": "# ok",
    "docs/failed.md": "{{ nope }}",
    "docs/blocked.md": "{% include 'failed.md' %}",
    "docs/needs.md": "{% include 'none.md' %}",
    "docs/x.md": "{% include 'y.md' %}",
    "docs/y.md": "{% include 'x.md' %}",
    "docs/z.md": "{% include 'x.md' %}",
    "docs/same.a": "1",
    "docs/same.b": "2",
    "docs/p.txt": "plain",
}


def statuses(project: Project) -> dict[str, str]:
    return {each["id"]: each["status"] for each in project.graph()["nodes"]}


def counts(project: Project, code: int) -> dict[str, int]:
    told: dict[str, Any] = project.kahnd("status", "--json", code=code).json
    return {name: count for name, count in told["documents"].items() if name != "total"}


def counted(found: dict[str, str]) -> dict[str, int]:
    names = ("done", "dirty", "failed", "blocked", "missing")
    return {name: sum(each.lower() == name for each in found.values()) for name in names}


def whys(project: Project) -> dict[str, Any]:
    told = {name: project.kahnd("why", "--json", name).json for name in ("docs/same.a", "docs/x.md", "docs/z.md")}
    return {name: (each["status"], each["reasons"], each["chain"]) for name, each in told.items()}


def test_a_document_keeps_its_status_after_the_daemon_has_ended(project: Project) -> None:
    project.configure(SAME, PAGES)
    project.write_all(FILES)
    with project.daemon():
        project.wait(code=3)
        with_daemon, why_with = statuses(project), whys(project)
        history_with = project.kahnd("history", "--json").json
        assert counts(project, 0) == counted(with_daemon)
    assert statuses(project) == with_daemon
    assert counts(project, 4) == counted(with_daemon)
    assert whys(project) == why_with
    assert project.kahnd("history", "--json").json == history_with


def test_an_edit_without_a_daemon_is_dirty_for_every_command(project: Project) -> None:
    project.configure(SAME, PAGES)
    project.write_all(FILES)
    project.build(code=3)
    project.write("docs/ok.md", "# other")
    project.write("docs/failed.md", "# mended")
    project.remove("docs/same.b")
    found = statuses(project)
    dirty = {name for name, status in found.items() if status == "DIRTY"}
    assert dirty == {"docs/ok.md", "docs/failed.md", "docs/blocked.md", "docs/same.a"}
    assert counts(project, 4) == counted(found)
    assert project.kahnd("why", "--json", "docs/ok.md").json["status"] == "DIRTY"


def planned(project: Project) -> list[Any]:
    targets: tuple[tuple[str, ...], ...] = ((), ("docs/failed.md",), ("site/z.html",))
    return [project.kahnd("plan", "--json", *each).json for each in targets]


def built(project: Project) -> dict[str, Any]:
    told = project.kahnd("build", "--json", code=3).json
    return {name: each for name, each in told.items() if name != "duration_ms"}


def test_a_plan_and_a_build_answer_the_same_with_a_daemon_and_without(project: Project) -> None:
    project.configure(SAME, PAGES)
    project.write_all(FILES)
    with project.daemon():
        project.wait(code=3)
        mark, plans = project.mark(), planned(project)
        assert project.log(since=mark) == []
        answer = built(project)
    assert planned(project) == plans
    assert built(project) == answer
    assert plans[0]["generations"] == [["docs/failed.md"], ["docs/blocked.md"]]
    assert plans[0]["reasons"]["docs/failed.md"] == "failed before"
    assert plans[1]["generations"] == [["docs/failed.md"]]
