"""A rule's own limits and the environment variables that count as its inputs."""

from __future__ import annotations

import pytest

from e2e.harness import Project, eventually
from e2e.rules import command, rule

WRITES = command("sh", "{source}", "{output}")
HUNGRY = (
    'exec python3 -c "import sys; open(sys.argv[1], \'w\').write(str(len(bytearray(400 << 20))))" "$1" 2> /dev/null\n'
)


def test_a_rules_own_time_limit_stands_for_the_pools(project: Project) -> None:
    brief = rule("docs/**/*.brief", "command", "{stem}.brief", f"{WRITES}timeout_s = 0.5\n")
    project.configure(brief, rule("docs/**/*.sh", "command", "{stem}.out", WRITES))
    project.write_all({"docs/a.brief": "sleep 1000", "docs/b.sh": 'echo b > "$1"'})
    (failure,) = project.build(code=1)["failed"]
    assert failure["document"] == "docs/a.brief"
    assert "took longer than 0.5 s" in failure["error"]
    assert "timeout_s in its rule" in failure["error"]


@pytest.mark.parametrize("renderer", ["command", "python"])
def test_a_rules_own_memory_limit_stands_for_the_pools_both_ways(project: Project, renderer: str) -> None:
    project.write_all(
        {
            "plugins/eat.py": "def eat(document):\n    return str(len(bytearray(400 << 20)))\n",
            "docs/a.small": HUNGRY,
            "docs/a.large": HUNGRY,
        }
    )
    more = WRITES if renderer == "command" else 'function = "plugins.eat:eat"\n'
    rules = [
        rule("docs/**/*.small", renderer, "{stem}.small", f"{more}memory_mb = 256\n"),
        rule("docs/**/*.large", renderer, "{stem}.large", f"{more}memory_mb = 1000\n"),
    ]
    project.configure(*rules, extra="[pool]\nworkers = 1\nmemory_mb = 300\n")
    assert [each["document"] for each in project.build(code=1)["failed"]] == ["docs/a.small"]
    assert project.output("a.large") == str(400 << 20)
    project.configure(*(each.replace("= 256", "= 800") for each in rules), extra="[pool]\nworkers = 1\n")
    project.build()
    assert project.output("a.small") == str(400 << 20)


def test_a_variable_that_a_rule_names_is_a_part_of_its_recipe(project: Project) -> None:
    greets = command("sh", "-c", "echo $GREETING $OTHER", "{source}", stdout=True)
    project.configure(rule("docs/**/*.txt", "command", "{stem}.txt", f'{greets}env = ["GREETING", "UNSET"]\n'))
    project.write("docs/a.txt", "")
    project.env.update(GREETING="hello", OTHER="one")
    project.build()
    project.env["OTHER"] = "two"
    assert project.build()["rendered"] == []
    project.env["GREETING"] = "hi"
    assert project.build()["rendered"] == ["docs/a.txt"]
    assert project.output("a.txt") == "hi two\n"
    project.env["UNSET"] = ""
    assert project.build()["rendered"] == ["docs/a.txt"]
    del project.env["GREETING"]
    assert project.build()["rendered"] == ["docs/a.txt"]


def test_a_variable_with_an_impossible_name_is_an_error_with_its_line(project: Project) -> None:
    project.configure(rule("docs/**/*.txt", "copy", more='env = ["A=B"]\n'))
    told = project.kahnd("build", code=2).told
    assert "kahnd.toml" in told
    assert "env" in told


def test_a_folder_of_a_programs_own_stays_between_runs_and_goes_with_its_document(project: Project) -> None:
    notes = command("sh", "-c", "cat {source} >> {cache}/all; cp {cache}/all {output}")
    project.configure(rule("docs/**/*.txt", "command", "{stem}.txt", notes))
    project.write_all({"docs/a.txt": "one\n", "docs/b.txt": "b\n"})
    with project.daemon():
        project.write("docs/a.txt", "two\n")
        project.wait()
        assert project.output("a.txt") == "one\ntwo\n"
        project.remove("docs/a.txt")
        project.wait()
        eventually(lambda: kept_by_programs(project) == 1, "its folder is removed")
    project.remove("docs/b.txt")
    project.write("docs/c.txt", "c\n")
    project.build()
    assert kept_by_programs(project) == 1
    project.configure(rule("docs/**/*.txt", "copy"))
    project.build()
    assert kept_by_programs(project) == 0


def test_clean_removes_what_programs_keep(project: Project) -> None:
    notes = command("sh", "-c", "cat {source} >> {cache}/all; cp {cache}/all {output}")
    project.configure(rule("docs/**/*.txt", "command", "{stem}.txt", notes))
    project.write("docs/a.txt", "one\n")
    project.build()
    project.kahnd("clean")
    assert kept_by_programs(project) == 0
    project.build()
    project.kahnd("clean", "--state")
    assert not project.exists(".kahnd")


def kept_by_programs(project: Project) -> int:
    """Returns how many folders programs keep."""
    return sum(each.is_dir() for each in project.path(".kahnd/cache").iterdir())
