"""Programs that write into sources: what goes round is stopped and named; who saves often is not taken for it."""

from __future__ import annotations

import time

from e2e.harness import Finished, Project, eventually

STAMPS = """[project]
sources = ["docs"]
[watch]
rescan_s = 0
[[rules]]
match = "docs/**/*.fmt"
renderer = "command"
command = ["sh", "-c", "date +%N >> $0; cp $0 $1", "{source}", "{output}"]
output = "{stem}.out"
"""
FEED = """[project]
sources = ["docs"]
[watch]
rescan_s = 0
[[rules]]
match = "docs/*.a"
renderer = "command"
command = ["sh", "-c", "date +%N > docs/it.b; cp $0 $1", "{source}", "{output}"]
output = "{name}.out"
[[rules]]
match = "docs/*.b"
renderer = "command"
command = ["sh", "-c", "date +%N > docs/it.a; cp $0 $1", "{source}", "{output}"]
output = "{name}.out"
"""
SLOW = """[project]
sources = ["docs"]
[watch]
rescan_s = 0
[[rules]]
match = "docs/*.slow"
renderer = "command"
command = ["sh", "-c", "sleep 0.3; cp $0 $1", "{source}", "{output}"]
output = "{stem}.out"
"""


def _build(project: Project) -> Finished:
    return project.kahnd("build", "--json", code=None)


def test_a_program_that_writes_into_its_source_is_stopped_until_the_next_save(project: Project) -> None:
    project.write("kahnd.toml", STAMPS)
    project.write("docs/a.fmt", "x\n")
    with project.daemon(settled=False):
        told = project.kahnd("wait", code=None)
        assert told.code == 1
        assert "docs/a.fmt: changed while it was rendered, 6 times in a row" in told.told
        written = project.path("docs/a.fmt").read_text()
        project.write("docs/other.txt", "")
        project.kahnd("wait", code=None)
        assert project.path("docs/a.fmt").read_text() == written
        project.write("docs/a.fmt", "y\n")
        assert project.kahnd("wait", code=None).code == 1
        assert project.path("docs/a.fmt").read_text().startswith("y\n")


def test_a_build_ends_though_a_program_writes_into_its_source(project: Project) -> None:
    project.write("kahnd.toml", STAMPS)
    project.write("docs/a.fmt", "x\n")
    built = _build(project)
    assert built.code == 1
    assert "its command writes into its own source" in built.told


def test_programs_that_feed_each_other_are_stopped_and_both_named(project: Project) -> None:
    project.write("kahnd.toml", FEED)
    project.write("docs/it.a", "x\n")
    with project.daemon(settled=False):

        def failures() -> str:
            return " ".join(each["error"] for each in project.status()["failures"])

        said = eventually(failures, "one of them fails")
        assert "the command of docs/it.a writes into docs/it.b" in said
        assert "the command of docs/it.b writes into docs/it.a" in said


def test_frequent_saves_during_long_renderings_end_with_the_last_save_rendered(project: Project) -> None:
    project.write("kahnd.toml", SLOW)
    project.write("docs/a.slow", "0\n")
    with project.daemon(settled=False):
        for number in range(1, 12):
            project.write("docs/a.slow", f"{number}\n")
            time.sleep(0.2)  # the pace at which somebody saves, faster than it is rendered
        assert project.kahnd("wait", code=None).code == 0
        assert project.output("a.out") == "11\n"
