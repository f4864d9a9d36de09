"""A `kahnd.toml` that can't be used: file, line and remedy, exit code 2, nothing done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import Daemon, Project, eventually
from e2e.rules import FIRST_LINES, SUMS, TEXTS, toml

GOOD = toml(TEXTS)


def _line(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


CASES = {
    "broken TOML": (GOOD.replace('output = "site"', "output = "), "output = ", ()),
    "an unknown key": (GOOD.replace("workers", "wrokers"), "wrokers", ("wrokers", "workers")),
    "an unknown table": (f"[wacth]\nsettle_ms = 1\n{GOOD}", "wacth", ("wacth", "watch")),
    "an unknown key of a rule": (f'{GOOD}matsch = "x"\n', "matsch", ("matsch", "match")),
    "a wrong type": (GOOD.replace("workers = 2", "workers = []"), "workers", ("workers",)),
    "a number out of range": (GOOD.replace("workers = 2", "workers = -1"), "workers", ("workers",)),
    "an unknown renderer": (GOOD.replace('"template"', '"tmeplate"'), "tmeplate", ("tmeplate", "template")),
    "an unknown placeholder of an output": (GOOD.replace("{name}", "{nmae}"), "{nmae}", ("nmae", "name")),
    "an unknown placeholder of a command": (toml(SUMS).replace("{deps}", "{dpes}"), "{dpes}", ("dpes", "deps")),
    "a regular expression that is none": (toml(SUMS).replace("needs (", "needs (("), "scan", ("scan",)),
    "an output out of the project": (GOOD.replace('"site"', '"../site"'), "../site", ("../site",)),
    "a source folder that is missing": (GOOD.replace('["docs"]', '["docs", "dosc"]'), "dosc", ("dosc",)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, case: str) -> None:
    text, place, words = CASES[case]
    project = Project(tmp_path / "project")
    project.write_all({"kahnd.toml": text, "docs/a.txt": "A"})
    told = project.kahnd("build", code=2).told
    assert f"kahnd.toml:{_line(text, place)}" in told
    assert all(word in told for word in words), told
    assert not project.exists("site")


def test_no_sources_is_told_with_what_to_write(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.write("kahnd.toml", '[project]\nname = "empty"\n')
    told = project.kahnd("build", code=2).told
    assert "kahnd.toml" in told
    assert "sources" in told


def test_a_broken_setting_of_the_environment_is_named(tmp_path: Path) -> None:
    project = Project(tmp_path / "project", {"KAHND_POOL__WORKERS": "many"})
    project.write_all({"kahnd.toml": GOOD, "docs/a.txt": "A"})
    assert "KAHND_POOL__WORKERS" in project.kahnd("build", code=2).told


def test_an_unreadable_configuration_is_told(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.write("kahnd.toml", b"[project]\nname = '\xff\xfe'\n")
    assert "kahnd.toml" in project.kahnd("build", code=2).told


# A change of it under a running daemon


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    project = Project(tmp_path / "project")
    project.write_all({"kahnd.toml": GOOD, "docs/a.txt": "A", "docs/a.sum": "sum"})
    with project.daemon() as daemon:
        yield daemon


def test_a_new_rule_takes_effect_at_once(daemon: Daemon) -> None:
    project = daemon.project
    project.write("kahnd.toml", toml(TEXTS, SUMS))
    project.wait()
    assert project.log("config.reloaded")
    assert set(project.outputs()) == {"a.txt", "a.cksum"}
    project.write("kahnd.toml", GOOD)
    project.wait()
    assert set(project.outputs()) == {"a.txt"}


def test_another_log_is_written_from_then_on(daemon: Daemon) -> None:
    project = daemon.project
    project.write("kahnd.toml", GOOD + '[log]\nlevel = "debug"\nfile = "docs/daemon.log"\n')
    project.wait()
    project.write("docs/a.txt", "another A")
    project.wait()
    lines = [json.loads(line) for line in project.read("docs/daemon.log").splitlines()]
    assert "document.dirty" in [each["event"] for each in lines]
    assert not project.log("document.dirty")
    assert not [each for each in lines if each["event"] == "watch.batch" and "daemon.log" in each["cause"]]


def test_a_new_rule_renders_just_its_documents(daemon: Daemon) -> None:
    project = daemon.project
    project.write("kahnd.toml", toml(SUMS))
    project.wait()
    project.write("docs/a.head", "A")
    project.wait()
    with project.renders("docs/a.head"):
        project.write("kahnd.toml", toml(SUMS, FIRST_LINES))


def test_a_broken_edit_is_reported_and_the_last_good_one_stays(daemon: Daemon) -> None:
    project = daemon.project
    broken = toml(TEXTS, SUMS).replace("stdout", "sdtout")
    mark = project.mark()
    project.write("kahnd.toml", broken)
    told = eventually(lambda: project.log("config.invalid", mark), "the broken edit is logged")
    assert f"kahnd.toml:{_line(broken, 'sdtout')}" in str(told)
    with project.renders("docs/b.txt", code=2):
        project.write("docs/b.txt", "B")
    project.write("kahnd.toml", toml(TEXTS, SUMS))
    project.wait()
    assert set(project.outputs()) == {"a.txt", "b.txt", "a.cksum"}


def test_every_answer_tells_of_a_broken_edit_until_it_is_mended(daemon: Daemon) -> None:
    project = daemon.project
    assert project.status()["config_error"] is None
    good = project.read("kahnd.toml")
    project.write("kahnd.toml", good + "\noops [\n")
    line = f"kahnd.toml:{(good + 'x').count(chr(10)) + 2}"
    for command in ("wait", "build", "retry"):
        told = project.kahnd(command, "--json", code=2).json
        assert told["config_error"].startswith(f"{line}: "), command
        assert line in project.kahnd(command, code=2).stdout
        assert f"{project.root}/{line}:1: error: " in project.kahnd(command, "--problems", code=2).stdout
    for words in (("status",), ("plan",), ("why", "docs/a.txt"), ("graph", "--format", "json"), ("history",)):
        told = project.kahnd(*words).told
        assert line in told, words
        assert "the last good one is in force" in told, words
    for words in (("status",), ("plan",), ("why", "docs/a.txt"), ("graph",)):
        assert project.kahnd(*words, "--json").json["config_error"].startswith(f"{line}: "), words
    project.write("kahnd.toml", good)
    assert "config_error" not in project.wait()
    assert project.status()["config_error"] is None
    assert "kahnd.toml" not in project.kahnd("status").told


def test_what_was_asked_for_is_done_by_the_last_good_configuration(daemon: Daemon) -> None:
    project = daemon.project
    project.append("kahnd.toml", "\noops [\n")
    project.write("docs/b.txt", "B")
    assert project.build("docs/b.txt", code=2)["rendered"] in (["docs/b.txt"], [])
    assert project.output("b.txt") == "B"


def test_a_store_that_cannot_be_reached_is_reported_and_the_daemon_lives(daemon: Daemon) -> None:
    project = daemon.project
    mark = project.mark()
    project.write("kahnd.toml", f'[store]\nurl = "ws://127.0.0.1:9/rpc"\n\n{GOOD}')
    trouble = ("config.invalid", "store.lost")
    eventually(lambda: [each for each in project.log(since=mark) if each["event"] in trouble], "the trouble is logged")
    project.write("kahnd.toml", GOOD)
    eventually(lambda: project.status(code=None).get("state") == "idle", "the daemon is well again")
    with project.renders("docs/b.txt"):
        project.write("docs/b.txt", "B")


def test_a_configuration_that_is_gone_is_reported_and_the_last_good_one_stays(daemon: Daemon) -> None:
    project = daemon.project
    mark = project.mark()
    project.remove("kahnd.toml")
    eventually(lambda: project.log("config.invalid", mark), "the missing configuration is logged")
    project.write("docs/b.txt", "B")
    eventually(lambda: project.exists("site/b.txt"), "the daemon still renders")
    project.write("kahnd.toml", toml(TEXTS, SUMS))
    eventually(lambda: project.exists("site/a.cksum"), "the new configuration takes effect")


def test_another_source_folder_takes_effect_at_once(daemon: Daemon) -> None:
    project = daemon.project
    project.write("more/c.txt", "C")
    sources = GOOD.replace('["docs"]', '["docs", "more"]').replace("docs/**", "**")
    project.write("kahnd.toml", sources)
    project.wait()
    assert project.output("c.txt") == "C"
    with project.renders("more/d.txt"):
        project.write("more/d.txt", "D")


@pytest.mark.parametrize(
    "text", ['{% include "/more/c.txt" %}', '{% for each in pages("/more/*") %}{{ each.text }}{% endfor %}']
)
def test_another_source_folder_mends_what_names_a_document_there(daemon: Daemon, text: str) -> None:
    project = daemon.project
    project.write_all({"more/c.txt": "C", "docs/b.txt": text})
    assert "'more'" in project.wait(code=1)["failed"][0]["remedy"]
    project.write("kahnd.toml", GOOD.replace('["docs"]', '["docs", "more"]'))
    project.wait()
    assert project.output("b.txt") == "C"
