"""The programs that rules run, as users meet them: those that can't start, what they leave behind, what they write."""

from __future__ import annotations

import pytest

from e2e.harness import Project, eventually
from e2e.rules import TEXTS

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


SHELL = """
[[rules]]
match = "docs/**/*.sh"
renderer = "command"
command = ["sh", "{source}", "{output}"]
output = "{dir}/{stem}.out"
"""
PRINTS = SHELL.replace(".sh", ".print").replace(', "{output}"]', "]\nstdout = true")
PAGES = """
[[rules]]
match = "docs/**/*.tpl"
renderer = "template"

[[rules]]
match = "docs/**/*.bin"
renderer = "copy"
"""
PLUG_IN = """
[[rules]]
match = "docs/**/*.py"
renderer = "python"
function = "plug:render"
output = "{dir}/{stem}.out"
"""
TIGHT = "[pool]\noutput_mb = 1\n"
MEGABYTE = 1 << 20


def test_what_a_program_leaves_running_is_ended_and_told(project: Project) -> None:
    project.configure(TEXTS, SHELL)
    project.write("docs/a.sh", "echo done > $1; setsid sleep 4711 & sleep 4711 &")
    told = project.build()
    (warning,) = told["warnings"]
    assert warning["document"] == "docs/a.sh"
    assert warning["message"] == "sh left 2 processes running, which kahnd ended: sleep, sleep"
    assert project.output("a.out") == "done\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.sh", "head -c 3000000 /dev/zero > $1"),
        ("a.sh", "head -c 3000000 /dev/zero > $1 || exit 0"),
        ("a.sh", "head -c 3000000 /dev/zero > big.tmp; mv big.tmp $1"),
        ("a.sh", "dd if=/dev/zero of=$1 bs=3000000 count=1"),
        ("a.sh", "truncate -s 3M $1"),
        ("a.print", "head -c 3000000 /dev/zero"),
        ("a.print", "yes | head -c 3000000 | cat"),
        ("a.print", "yes"),
        ("a.tpl", "{% for a in range(1000) %}{% for b in range(100) %}0123456789abcdef{% endfor %}{% endfor %}"),
        ("a.py", ""),
    ],
)
def test_an_output_has_a_limit(project: Project, name: str, content: str) -> None:
    project.configure(TEXTS, SHELL, PRINTS, PAGES, PLUG_IN, extra=TIGHT)
    project.write_all({f"docs/{name}": content, "plug.py": "def render(document):\n    return 'x' * 3_000_000\n"})
    (failed,) = project.build(code=1)["failed"]
    assert "output_mb" in failed["error"]
    assert project.outputs() == {}
    project.configure(TEXTS, SHELL, PRINTS, PAGES, PLUG_IN, extra="[pool]\noutput_mb = 4\n")
    if content != "yes":
        project.build()


def test_a_large_document_can_be_copied_whatever_the_limit(project: Project) -> None:
    project.configure(TEXTS, SHELL.replace('"sh"', '"cp"').replace(".sh", ".mp4"), PAGES, extra=TIGHT)
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
