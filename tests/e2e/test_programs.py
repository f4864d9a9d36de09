"""The programs that rules run, as users meet them: those that can't start, and what they leave behind."""

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
