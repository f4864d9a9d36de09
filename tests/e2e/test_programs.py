"""The programs that rules run, as users meet them: those that can't start, what they leave behind, what they write."""

from __future__ import annotations

import pytest

from e2e.harness import Project, eventually
from e2e.rules import COPIES, SCRIPTS, TEXTS, command, rule

DRAWN = """
[[rules]]
match = "docs/**/*.dia"
renderer = "command"
command = ["{program}", "{{source}}"]
stdout = true
output = "{{dir}}/{{stem}}.svg"
"""
FALLBACK = 'fallback = "docs/none.txt"\n'
SCRIPT = "#!/bin/sh\necho drawn\n"


@pytest.mark.parametrize("fallback", [FALLBACK, ""])
def test_a_program_that_becomes_executable_is_used_by_a_daemon_and_by_a_build(project: Project, fallback: str) -> None:
    project.configure(TEXTS, DRAWN.format(program="tools/draw") + fallback)
    project.write_all({"docs/a.dia": "x", "docs/none.txt": "none", "tools/draw": SCRIPT})
    program = project.path("tools/draw")
    with project.daemon():
        project.wait(code=None)
        if fallback:
            assert project.output("a.svg") == "none"
        program.chmod(0o755)
        eventually(lambda: project.exists("site/a.svg") and project.output("a.svg") == "drawn\n", "it is drawn")
        assert project.wait()["failed"] == []
        program.chmod(0o644)
        assert project.build(code=0 if fallback else 1)["failed"] == ([] if fallback else project.status()["failures"])
        program.chmod(0o755)
        assert project.build()["failed"] == []
    assert project.output("a.svg") == "drawn\n"
    program.unlink()
    project.build(code=0 if fallback else 1)
    project.write("tools/draw", SCRIPT)
    program.chmod(0o755)
    project.build()
    assert project.output("a.svg") == "drawn\n"


def test_a_program_that_appears_on_the_path_is_used(project: Project) -> None:
    project.env["PATH"] = f"{project.path('bin')}:/usr/bin:/bin"
    project.configure(TEXTS, DRAWN.format(program="draw") + FALLBACK)
    project.write_all({"docs/a.dia": "x", "docs/none.txt": "none"})
    with project.daemon():
        assert project.output("a.svg") == "none"
        project.write("bin/draw", SCRIPT)
        project.path("bin/draw").chmod(0o755)
        assert project.build()["failed"] == []
        assert project.output("a.svg") == "drawn\n"
        project.remove("bin/draw")
        eventually(lambda: project.output("a.svg") == "none", "the fallback stands in again")


PRINTS = rule("docs/**/*.print", "command", "{dir}/{stem}.out", command("sh", "{source}", stdout=True))
TEMPLATES = rule("docs/**/*.tpl", "template")
PLUG_IN = rule("docs/**/*.py", "python", "{dir}/{stem}.out", 'function = "plug:render"\n')
TIGHT = "[pool]\noutput_mb = 1\n"
MEGABYTE = 1 << 20


def test_what_a_program_leaves_running_is_ended_and_told(project: Project) -> None:
    project.configure(TEXTS, SCRIPTS)
    project.write("docs/a.sh", "echo done > $1; setsid sleep 4711 & sleep 4711 &")
    told = project.build()
    (warning,) = told["warnings"]
    assert warning["document"] == "docs/a.sh"
    assert warning["message"] == "sh left 2 processes running, which kahnd ended: sleep, sleep"
    assert project.output("a.out") == "done\n"


TOO_MUCH = {
    "shell.sh": "head -c 3000000 /dev/zero > $1",
    "unnoticed.sh": "head -c 3000000 /dev/zero > $1 || exit 0",
    "moved.sh": "head -c 3000000 /dev/zero > big.tmp; mv big.tmp $1",
    "block.sh": "dd if=/dev/zero of=$1 bs=3000000 count=1",
    "hole.sh": "truncate -s 3M $1",
    "printed.print": "head -c 3000000 /dev/zero",
    "piped.print": "yes | head -c 3000000 | cat",
    "endless.print": "yes",
    "loop.tpl": "{% for a in range(1000) %}{% for b in range(100) %}0123456789abcdef{% endfor %}{% endfor %}",
    "plug-in.py": "",
}


def test_an_output_has_a_limit(project: Project) -> None:
    rules = (TEXTS, SCRIPTS, PRINTS, TEMPLATES, COPIES, PLUG_IN)
    project.configure(*rules, extra=TIGHT)
    project.write_all({f"docs/{name}": content for name, content in TOO_MUCH.items()})
    project.write("plug.py", "def render(document):\n    return 'x' * 3_000_000\n")
    failed = project.build(code=1)["failed"]
    assert sorted(each["document"] for each in failed) == sorted(f"docs/{name}" for name in TOO_MUCH)
    assert [each for each in failed if "output_mb" not in each["error"]] == []
    assert project.outputs() == {}
    project.remove("docs/endless.print")
    project.configure(*rules, extra="[pool]\noutput_mb = 4\n")
    assert len(project.build()["rendered"]) == len(TOO_MUCH) - 1


def test_a_large_document_can_be_copied_whatever_the_limit(project: Project) -> None:
    project.configure(TEXTS, SCRIPTS.replace('"sh"', '"cp"').replace(".sh", ".mp4"), TEMPLATES, COPIES, extra=TIGHT)
    project.write_all({"docs/a.mp4": b"x" * 2 * MEGABYTE, "docs/b.bin": b"y" * 3 * MEGABYTE, "docs/c.bin": b"z"})
    assert project.build()["failed"] == []
    assert len(project.outputs()["a.out"]) == 2 * MEGABYTE
    assert len(project.outputs()["b.bin"]) == 3 * MEGABYTE


def test_an_output_that_is_a_hard_link_to_its_source_is_a_file_of_its_own(project: Project) -> None:
    project.write("kahnd.toml", LINKING)
    project.write("docs/a.in", "one\n")
    project.kahnd("build")
    with (project.root / "docs/a.in").open("a") as source:
        source.write("two\n")
    assert project.output("a.out") == "one\n"
    project.kahnd("build")
    assert project.output("a.out") == "one\ntwo\n"


LINKING = """
[project]
sources = ["docs"]
[[rules]]
match = "docs/*.in"
renderer = "command"
command = ["ln", "{source}", "{output}"]
output = "{stem}.out"
"""


def test_a_program_runs_in_the_folder_that_its_rule_names(project: Project) -> None:
    lines = 'cat "$1" part > "$2"\necho "x: part" > "$3"\n'
    joined = command("sh", "{root}/tools/join.sh", "{source}", "{output}", "{depfile}", more='cwd = "{dir}"\n')
    project.configure(rule("docs/**/*.in", "command", "{dir}/{stem}.out", joined))
    project.write_all({"tools/join.sh": lines, "docs/a.in": "A", "docs/part": "1", "docs/x/b.in": "B"})
    project.write("docs/x/part", "2")
    project.build()
    assert project.outputs() == {"a.out": b"A1", "x/b.out": b"B2"}
    project.write("docs/x/part", "3")
    assert project.build()["rendered"] == ["docs/x/b.in"]
    project.write("tools/join.sh", f"{lines}# again\n")
    assert sorted(project.build()["rendered"]) == ["docs/a.in", "docs/x/b.in"]
    assert project.outputs() == project.fresh_outputs()


@pytest.mark.parametrize(
    "words", [("sh", "join.sh"), ("tools/join.sh",), ("{root}/tools/join.sh",)], ids=["there", "project's", "rooted"]
)
def test_a_script_in_the_folder_that_a_command_runs_in_is_a_part_of_the_recipe(
    project: Project, words: tuple[str, ...]
) -> None:
    joined = command(*words, "{source}", "{output}", more='cwd = "tools"\n')
    project.configure(rule("docs/**/*.in", "command", "{stem}.out", joined))
    project.write_all({"tools/join.sh": '#!/bin/sh\ncat "$1" word > "$2"\n', "tools/word": "w", "docs/a.in": "A"})
    project.path("tools/join.sh").chmod(0o755)
    project.build()
    assert project.output("a.out") == "Aw"
    project.write("tools/join.sh", '#!/bin/sh\ncat word "$1" > "$2"\n')
    project.path("tools/join.sh").chmod(0o755)
    assert project.build()["rendered"] == ["docs/a.in"]
    assert project.output("a.out") == "wA"


@pytest.mark.parametrize("cwd", ["../x", "/x", "{stem}", "a/../../b"])
def test_a_folder_to_run_in_that_leads_out_of_the_project_is_an_error_with_its_line(project: Project, cwd: str) -> None:
    project.configure(
        rule("docs/**/*.in", "command", "{stem}.out", command("cat", stdout=True, more=f'cwd = "{cwd}"\n'))
    )
    told = project.kahnd("build", code=2).told
    assert "kahnd.toml:" in told
    assert "cwd" in told


def test_a_folder_to_run_in_that_is_not_there_is_told_with_its_name(project: Project) -> None:
    project.configure(
        rule("docs/**/*.in", "command", "{stem}.out", command("cat", "{source}", stdout=True, more='cwd = "nowhere"\n'))
    )
    project.write("docs/a.in", "A")
    (failure,) = project.build(code=1)["failed"]
    assert "nowhere" in failure["error"]
    project.path("nowhere").mkdir()
    assert project.kahnd("retry", "--json").json["rendered"] == ["docs/a.in"]


@pytest.mark.parametrize("cwd", ["", "{dir}"])
def test_a_failures_place_is_the_one_that_the_program_names(project: Project, cwd: str) -> None:
    checks = (
        "python3 - <<'END'\nimport sys\nprint('PLACE:2:5: error: no such word', file=sys.stderr)\nsys.exit(3)\nEND\n"
    )
    place = "part.txt" if cwd else "docs/x/part.txt"
    more = f'cwd = "{cwd}"\n' if cwd else ""
    project.configure(rule("docs/**/*.sh", "command", "{stem}.out", command("sh", "{source}", "{output}", more=more)))
    project.write_all({"docs/x/a.sh": checks.replace("PLACE", place), "docs/x/part.txt": "one\ntwo\n"})
    (failure,) = project.build(code=1)["failed"]
    assert (failure["document"], failure["file"], failure["line"]) == ("docs/x/a.sh", "docs/x/part.txt", 2)
    assert failure["message"] == "sh failed with exit code 3: error: no such word"


def test_an_expression_for_positions_without_two_groups_is_an_error_with_its_line(project: Project) -> None:
    more = "position = '^(\\S+) bad'\n"
    project.configure(rule("docs/**/*.in", "command", "{stem}.out", command("cat", stdout=True, more=more)))
    told = project.kahnd("build", code=2).told
    assert "the file and the line" in told
