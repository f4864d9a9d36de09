from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from io import FileIO

import pytest

from e2e.harness import DEADLINE_S, Daemon, Project, eventually
from e2e.rules import SCRIPTS, TEXTS

ROTATED_AT = 5_000_000
"""Bytes, as telemetry/log.py has it."""


def test_every_entry_has_its_documented_keys(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.sh": "exit 1"})
    project.build(code=1)
    entries = project.log()
    assert all({"timestamp", "level", "event"} <= set(each) for each in entries)
    assert all(datetime.fromisoformat(each["timestamp"]).utcoffset() == timedelta(0) for each in entries)
    (rendered,) = project.log("document.rendered")
    (finished,) = project.log("build.finished")
    assert rendered["document"] == "docs/a.txt"
    assert rendered["duration_ms"] > 0
    assert rendered["build"] == finished["build"]
    assert project.log("scan.finished")
    assert project.log("build.started")


def test_a_save_is_told_from_the_batch_to_the_finished_build(live: Daemon) -> None:
    project = live.project
    project.write("docs/story.txt", "A")
    project.wait()
    mark = project.mark()
    project.write("docs/story.txt", "B")
    project.wait()
    events = [each["event"] for each in project.log(since=mark)]
    story = [each for each in ("watch.batch", "build.started", "document.rendered", "build.finished") if each in events]
    assert story == ["watch.batch", "build.started", "document.rendered", "build.finished"]
    assert [events.index(each) for each in story] == sorted(events.index(each) for each in story)


def test_every_line_of_a_pass_has_its_build_and_its_cause(project: Project) -> None:
    project.write("kahnd.toml", f'[log]\nlevel = "debug"\n\n{project.read("kahnd.toml")}')
    project.write_all({"docs/_a.txt": "1", "docs/gone.txt": "G", "docs/all.sum": "needs _a.txt", "docs/b.sum": "B"})
    with project.daemon():
        mark = project.mark()
        project.write_all({"docs/bad.sh": "exit 1", "docs/c.sum": "needs c.sum", "docs/on.sum": "needs bad.sh"})
        project.wait(code=3)
        project.remove("docs/gone.txt")
        project.wait(code=3)
    entries = project.log(since=mark)
    passes = [each for each in entries if each["event"].partition(".")[0] in {"watch", "build", "document", "cycle"}]
    finished = {each["build"]: each["cause"] for each in entries if each["event"] == "build.finished"}
    assert {"watch.batch", "document.dirty", "document.failed", "document.blocked", "document.removed"} <= {
        each["event"] for each in passes
    }
    assert {"cycle.found", "build.started"} <= {each["event"] for each in passes}
    assert all(each["build"] in finished for each in passes)
    assert all(each["cause"] == finished[each["build"]] for each in passes if each["event"] != "watch.batch")
    assert "docs/gone.txt removed" in {each["cause"] for each in passes}


def test_the_first_look_goes_with_the_build_of_the_start(project: Project) -> None:
    project.write("docs/a.txt", "A")
    project.build()
    (look,), (finished,) = project.log("scan.finished"), project.log("build.finished")
    assert (look["build"], look["cause"]) == (finished["build"], finished["cause"])


def test_every_build_has_an_id_of_its_own(project: Project) -> None:
    """Also those that a changed configuration and a quick restart begin within one second."""
    project.write("docs/a.txt", "0")
    with project.daemon():
        for number in range(3):
            project.write("kahnd.toml", f"# {number}\n{project.read('kahnd.toml')}")
            project.write("docs/a.txt", f"{number}")
            project.wait()
    project.build("--force")
    ids = [each["build"] for each in project.log("build.finished")]
    assert len(set(ids)) == len(ids)


def test_the_last_entries_are_shown(live: Daemon) -> None:
    project = live.project
    project.write_all({f"docs/last/{name}.txt": name for name in "abc"})
    project.wait()
    lines = project.kahnd("logs", "-n", "3", "--json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == project.log()[-3:]


def test_entries_are_chosen_by_document_level_and_build(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/b.txt": "B", "docs/c.sh": "exit 1"})
    project.build(code=1)

    def shown(*words: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in project.kahnd("logs", "--json", *words).stdout.splitlines()]

    assert {each["document"] for each in shown("--doc", "docs/a.txt")} == {"docs/a.txt"}
    assert {each["event"] for each in shown("--level", "error")} == {"document.failed"}
    build = project.log("build.finished")[0]["build"]
    assert {each["build"] for each in shown("--build", build)} == {build}
    assert shown("--build", "no-such-build") == []


def test_following_shows_a_new_event(live: Daemon) -> None:
    project = live.project
    project.write("docs/followed/before.txt", "A")
    project.wait()
    seen = project.root.with_name("followed")
    with seen.open("w") as file:
        follower = project.begin("logs", "-f", "-n", "1", "--json", stdout=file)
    try:
        eventually(lambda: seen.read_text().strip(), "the last entry is shown")
        project.write("docs/followed/new.txt", "N")
        eventually(lambda: "docs/followed/new.txt" in seen.read_text(), "the new document is told")
    finally:
        follower.kill()
        follower.wait()


def test_following_goes_on_over_a_rotation(project: Project) -> None:
    """Of what was written, nothing is left out and nothing told twice, wherever it came to lie."""
    log = project.path(".kahnd/log/kahnd.jsonl")
    log.parent.mkdir(parents=True)
    filler = json.dumps({"timestamp": "2026-01-01T00:00:00Z", "level": "info", "event": "filler", "text": "x" * 9_900})
    log.write_text(f"{filler}\n" * ((ROTATED_AT - 3_000) // (len(filler) + 1)))
    seen = project.root.with_name("followed")
    with project.daemon():
        with seen.open("w") as file:
            follower = project.begin("logs", "-f", "-n", "1", "--json", stdout=file)
        try:
            eventually(lambda: seen.read_text().strip(), "the last entry is shown")
            for number in range(40):
                project.write(f"docs/{number}.txt", f"{number}")
                project.wait()
                if log.with_name("kahnd.jsonl.1").exists():
                    break
            project.write("docs/last.txt", "last")
            project.wait()
            written = f"{log.with_name('kahnd.jsonl.1').read_text()}{log.read_text()}".splitlines()
            eventually(lambda: seen.read_text().splitlines()[-1:] == written[-1:], "the last line is followed")
        finally:
            follower.kill()
            follower.wait()
    told = seen.read_text().splitlines()
    assert told == written[written.index(told[0]) :]
    assert json.loads(told[0])["event"] != "filler"


def test_without_a_terminal_a_daemon_writes_one_json_object_a_line(project: Project) -> None:
    project.write("docs/a.txt", "A")
    with project.daemon() as daemon:
        daemon.stop()
        events = [json.loads(line)["event"] for line in daemon.told.splitlines()]
    assert events[0] == "daemon.started"
    assert "document.rendered" in events
    assert events[-1] == "daemon.stopped"


@pytest.fixture
def full_pipe() -> Iterator[tuple[FileIO, FileIO]]:
    """Both ends of one that takes nothing more until it is read from."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    with FileIO(reader) as out, FileIO(writer, "w") as into:
        yield out, into


@pytest.mark.parametrize("form", ["--plain", "--problems"])
def test_a_reader_that_stalls_holds_up_neither_the_daemon_nor_its_end(
    project: Project, full_pipe: tuple[FileIO, FileIO], form: str
) -> None:
    daemon = project.begin("run", form, stdout=full_pipe[1].fileno())
    try:
        eventually(lambda: project.log("daemon.started"), "it starts")  # a command before could be first
        eventually(lambda: project.status(code=None)["state"] == "idle", "it answers")
        project.write("docs/a.txt", "A")
        project.wait()
        assert project.output("a.txt") == "A"
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(DEADLINE_S) == 0
    finally:
        daemon.kill()
        daemon.wait()
    assert project.log()[-1]["event"] == "daemon.stopped"


def test_a_saved_change_of_the_log_takes_effect_and_the_new_file_is_no_document(project: Project) -> None:
    with project.daemon():
        rules = project.read("kahnd.toml")
        project.write("kahnd.toml", f'[log]\nlevel = "debug"\nfile = "docs/kahnd.txt"\n\n{rules}')
        eventually(lambda: project.exists("docs/kahnd.txt"), "the other file is begun")
        mark = project.mark()
        project.write("docs/a.txt", "A")
        project.wait()
        assert "document.dirty" in project.read("docs/kahnd.txt")
        assert project.log(since=mark) == []
        assert set(project.outputs()) == {"a.txt"}
        project.write("kahnd.toml", rules)
        project.write("docs/b.txt", "B")
        project.wait()
        assert project.log("document.rendered", since=mark)


def test_no_secret_is_logged(project: Project) -> None:
    secret = "s3cr3t-pa55"  # noqa: S105 - a mark to look for
    env = {"KAHND_STORE__URL": "ws://127.0.0.1:9/rpc", "KAHND_STORE__USER": "root", "KAHND_STORE__PASSWORD": secret}
    project.write("docs/a.txt", "A")
    told = Project(project.root, env).kahnd("build", code=5).told
    assert secret not in told
    assert secret not in str(project.log())


def test_a_log_below_a_source_is_no_document(project: Project) -> None:
    project.configure(TEXTS)
    project.write("kahnd.toml", f'[log]\nfile = "docs/kahnd.txt"\n\n{project.read("kahnd.toml")}')
    project.write("docs/a.txt", "A")
    project.build()
    assert project.exists("docs/kahnd.txt")
    assert project.build()["rendered"] == []
    assert set(project.outputs()) == {"a.txt"}


def test_a_command_is_not_told_the_stores_password(project: Project) -> None:
    project.configure(SCRIPTS)
    project.write("docs/a.sh", 'env > "$1"')
    project.env["KAHND_STORE__PASSWORD"] = "hush"  # noqa: S105 - what is tested here
    project.build()
    assert "hush" not in project.read("site/a.out")
