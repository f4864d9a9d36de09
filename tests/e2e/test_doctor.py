"""`kahnd doctor`: each fault is found, and told with its remedy."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.harness import Project, eventually
from e2e.rules import COPIES, TEXTS, command, rule

PROGRAM = rule("docs/**/*.xyz", "command", "{dir}/{stem}.out", command("no-such-program", "{source}", "{output}"))


def checks(project: Project, name: str) -> list[dict[str, Any]]:
    """Returns the checks of one name; `doctor` could answer, so it exits with 0."""
    answer = project.kahnd("doctor", "--json").json
    assert answer["sound"] is all(each["state"] == "ok" for each in answer["checks"])
    assert all(each["remedy"] for each in answer["checks"] if each["state"] != "ok")
    return [each for each in answer["checks"] if each["name"] == name]


def test_a_sound_project_is_sound_whether_it_was_built_or_not(project: Project) -> None:
    project.write("docs/a.txt", "A")
    assert "made by the first build" in checks(project, "store")[0]["message"]
    assert not project.exists(".kahnd")
    project.build()
    assert {each["state"] for each in checks(project, "store")} == {"ok"}
    assert "opens" in checks(project, "store")[0]["message"]
    assert project.build()["rendered"] == []


def test_a_broken_configuration_is_told_with_its_line(project: Project) -> None:
    project.write("kahnd.toml", project.read("kahnd.toml").replace("sources", "sauces"))
    found = checks(project, "config")
    assert {each["state"] for each in found} == {"error"}
    assert any("kahnd.toml:3: " in each["message"] for each in found)


def test_a_missing_source_folder_is_told(project: Project) -> None:
    shutil.rmtree(project.path("docs"))
    (found,) = checks(project, "sources")
    assert found["state"] == "warning"
    assert '"docs" is missing' in found["message"]


def test_a_program_that_is_not_installed_is_told_and_one_with_a_fallback_is_less_urgent(project: Project) -> None:
    project.configure(TEXTS, PROGRAM)
    assert [each["state"] for each in checks(project, "program")] == ["error"]
    project.configure(TEXTS, PROGRAM + 'fallback = "docs/none.svg"\n')
    project.write("docs/none.svg", "<svg/>")
    (found,) = checks(project, "program")
    assert found["state"] == "warning"
    assert "no-such-program" in found["remedy"]


PLUG_IN = rule("docs/**/*.xyz", "python", "{dir}/{stem}.out", 'function = "plugins.make:render"\n')


def test_a_plug_in_that_can_not_be_imported_is_told_and_one_that_can(project: Project) -> None:
    project.configure(TEXTS, PLUG_IN)
    project.write("plugins/make.py", "import sys\nsys.stdout.write('noise')\nimport no_such_package\n")
    (found,) = checks(project, "plug-ins")
    assert found["message"] == "plugins/make.py:3: ModuleNotFoundError: No module named 'no_such_package'"
    project.write("plugins/make.py", "import os\nos.system('echo noise')\ndef render(document):\n    return ''\n")
    (found,) = checks(project, "plug-ins")
    assert (found["state"], found["message"]) == ("ok", "plugins.make:render loads")
    project.write("plugins/make.py", "import os\nos._exit(7)\n")
    (found,) = checks(project, "plug-ins")
    assert "exit code 7" in found["message"]


def test_an_environment_that_is_not_there_is_told(project: Project) -> None:
    project.configure(TEXTS, PLUG_IN, extra='[plugins]\npython = ".venv"\n')
    project.write("plugins/make.py", "def render(document):\n    return ''\n")
    (found,) = checks(project, "plug-ins")
    assert found["state"] == "error"
    assert "the environment .venv is not there" in found["message"]
    assert "kahnd.toml:" in found["message"]


def test_a_program_that_can_not_start_is_told_with_the_reason(project: Project) -> None:
    project.configure(TEXTS, PROGRAM.replace("no-such-program", "tools/x"))
    project.write("tools/x", "#!/bin/sh\r\n")
    assert checks(project, "program")[0]["remedy"].startswith("chmod +x tools/x")
    project.path("tools/x").chmod(0o755)
    (found,) = checks(project, "program")
    assert (found["state"], "CRLF" in found["message"]) == ("error", True)


def test_a_daemon_is_asked_and_its_database_left_to_it(project: Project) -> None:
    with project.daemon() as daemon:
        (found,) = checks(project, "daemon")
        assert found["message"] == f"idle, process {daemon.pid}"
        assert "in use" in checks(project, "store")[0]["message"]


def test_a_daemon_that_does_not_answer_is_told_with_its_process(project: Project) -> None:
    with project.daemon() as daemon:
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            (found,) = checks(project, "daemon")
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        assert found["state"] == "error"
        assert str(daemon.pid) in found["message"]


def test_what_a_killed_daemon_leaves_is_no_fault(project: Project) -> None:
    with project.daemon() as daemon:
        daemon.kill()
    (found,) = checks(project, "daemon")
    assert found["state"] == "ok"
    assert "the next takes over" in found["message"]


def test_a_spoilt_database_is_told(project: Project) -> None:
    project.write("docs/a.txt", "A")
    project.build()
    for each in project.path(".kahnd/db").rglob("*"):
        if each.is_file() and each.name != "LOCK":
            each.write_bytes(b"spoilt" * 1_000)
    (found,) = checks(project, "store")
    assert found["state"] == "warning"
    assert project.build()["failed"] == []


def test_a_server_that_does_not_answer_is_told(project: Project) -> None:
    away = Project(project.root, {"KAHND_STORE__URL": "ws://127.0.0.1:9/rpc"})
    (found,) = checks(away, "store")
    assert found["state"] == "error"
    assert "127.0.0.1:9" in found["message"]


def test_limits_and_room_are_told_in_numbers(project: Project) -> None:
    project.write_all({f"docs/{number}/a.txt": "A" for number in range(5)})
    (files,) = checks(project, "open files")
    assert any(each.isdigit() for each in files["message"].replace(",", "").split())
    assert {"max_user_watches", "max_user_instances"} == {
        each["message"].split()[0] for each in checks(project, "inotify")
    }
    assert "6 needed here" in checks(project, "inotify")[0]["message"]
    assert "free" in checks(project, "disk")[0]["message"]


def test_the_watches_of_a_running_daemon_count(project: Project) -> None:
    def taken() -> int:
        return int(checks(project, "inotify")[0]["message"].split(": ")[1].split()[0])

    project.write_all({f"docs/{number}/a.txt": "A" for number in range(50)})
    before = taken()
    with project.daemon():
        eventually(lambda: taken() >= before + 50, "the daemon's watches are counted")


def test_too_few_open_files_are_told(project: Project) -> None:
    limited = ("sh", "-c", 'ulimit -n 200; exec "$@"', "sh")
    found = project.kahnd("doctor", "--json", through=limited).json["checks"]
    (files,) = [each for each in found if each["name"] == "open files"]
    assert files["state"] == "error"
    assert "ulimit" in files["remedy"]


def test_a_state_folder_that_others_may_write_to_is_told(project: Project) -> None:
    project.path(".kahnd").mkdir()
    project.path(".kahnd").chmod(0o777)
    assert checks(project, "socket")[0]["state"] == "error"


def test_people_are_told_in_lines(project: Project) -> None:
    project.configure(COPIES, PROGRAM)
    told = project.kahnd("doctor").stdout
    assert "error" in told
    assert "    install no-such-program" in told
    assert "3 things to see to" in told


def test_files_that_can_be_no_documents_are_listed(project: Project) -> None:
    outside = project.root.with_name("outside")
    outside.mkdir()
    project.path("docs/led-out").symlink_to(outside)
    project.path("docs/led-in").symlink_to("led-out-of-nothing")
    (project.root / os.fsdecode(b"docs/half\xff.md")).touch()
    told = {each["message"]: each["remedy"] for each in checks(project, "sources")}
    assert told == {
        "a name that is not UTF-8: docs/half\udcff.md": "rename it",
        "a link that leads out of the project, and is not followed: docs/led-out": "copy in what it leads to",
    }


def test_ignored_files_are_listed_and_a_source_of_nothing_else_is_told(project: Project) -> None:
    project.write_all({"docs/a.txt": "A", "docs/a.txt~": "A", "docs/drafts/b.txt": "B", "docs/c.tmp": "C"})
    project.write("docs/.gitignore", "*.tmp\ndrafts/\n")
    (found,) = checks(project, "sources")
    assert found["state"] == "ok"
    assert found["message"] == "ignored, by kahnd.toml or .gitignore: docs/c.tmp, docs/drafts/"
    project.write("docs/.gitignore", "*\n")
    assert "docs has no documents, since all files in it are ignored" in [
        each["message"] for each in checks(project, "sources") if each["state"] == "warning"
    ]


def test_rules_that_render_nothing_are_told_with_the_reason(project: Project) -> None:
    project.configure(
        TEXTS,
        COPIES.replace("*.bin", "*.txt"),
        COPIES.replace("*.bin", "*.rst"),
        COPIES.replace("*.bin", "*.part"),
        COPIES.replace("*.bin", "*.old"),
    )
    project.write_all({"docs/a.txt": "A", "docs/_b.part": "B", "docs/c.old": "C", ".gitignore": "*.old"})
    told = {each["message"].partition("the rule for ")[2] for each in checks(project, "rule")}
    assert told == {
        "docs/**/*.txt renders nothing, since rules above it match the same documents",
        "docs/**/*.rst matches no document",
        "docs/**/*.part matches only names that begin with _",
        "docs/**/*.old matches only files that are ignored",
    }


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, lambda path: path.symlink_to(path.parent)])
def test_what_stands_in_the_place_of_the_socket_s_folder_is_told_alike(
    project: Project, tmp_path_factory: pytest.TempPathFactory, make: Callable[[Path], None]
) -> None:
    runtime = tmp_path_factory.mktemp("r")
    make(runtime / "kahnd")
    deep = Project(project.root.joinpath(*["a" * 40] * 4), {"XDG_RUNTIME_DIR": str(runtime)})
    deep.configure(TEXTS)
    message = f"{runtime}/kahnd is not a folder of your own"
    (found,) = checks(deep, "socket")
    assert (found["state"], found["message"]) == ("error", message)
    assert message in deep.kahnd("run", code=2).told
    assert deep.status(code=4)["state"] == "stopped"
