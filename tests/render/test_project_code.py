"""The files that a plug-in consists of, whatever its code looks like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kahnd.core.model import Problem
from kahnd.render.programs.project_code import module_files, script_files
from kahnd.render.renderers.parameters import PythonParameters
from render.workshop import Workshop

UNPARSEABLE = {
    "a deep expression": b"x=" + b"-" * 100_000 + b"1",
    "deep brackets": b"x=" + b"[" * 100_000,
    "a NUL": b"x = 1\0",
    "no UTF-8": b"x = '\xff'",
    "no Python": b"def (",
    "megabytes": b"import helper\nx = '" + b"a" * (2 << 20) + b"'",
}


@pytest.mark.parametrize("content", UNPARSEABLE.values(), ids=UNPARSEABLE)
def test_a_module_that_can_not_be_parsed_is_made_of_itself(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plug.py").write_bytes(content)
    (tmp_path / "helper.py").write_text("")
    assert module_files(tmp_path, "plug.py") == ("plug.py",)


def test_a_pipe_in_the_place_of_a_module_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plug.py")
    assert module_files(tmp_path, "plug.py") == ("plug.py",)


def test_a_module_that_python_can_not_compile_fails_its_documents_with_its_name(shop: Workshop) -> None:
    shop.by(("docs/**/*.x", PythonParameters("plug:f")))
    shop.write_all({"plug.py": UNPARSEABLE["a deep expression"].decode(), "docs/a.x": "x"})
    assert shop.problem("docs/a.x") == Problem(
        "Python can't compile it: an expression in it is nested too deeply", "plug.py", 0, "split the expression"
    )


@pytest.mark.parametrize(
    "command",
    [
        "sh tools/gen",
        "sh -e tools/gen",
        "bash -o pipefail tools/gen",
        "bash --rcfile /dev/null +o posix tools/gen",
        "python3 -W ignore -X utf8 tools/gen",
        "node -r ./tools/setup.js tools/gen",
        "env -i A=1 sh tools/gen",
        "nice -n 5 sh tools/gen",
        "timeout 20s sh tools/gen",
        "timeout -k 5 20 sh tools/gen",
        "tools/gen {source}",
    ],
)
def test_a_script_without_an_ending_is_found_after_options(tmp_path: Path, command: str) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/gen").write_text("echo 1\n")
    (tmp_path / "tools/setup.js").write_text("")
    assert "tools/gen" in script_files(command.split(), tmp_path, shell=False)
    assert "tools/gen" in script_files([command], tmp_path, shell=True)  # noqa: S604 - runs nothing


def test_the_line_that_env_splits_is_a_command(tmp_path: Path) -> None:
    command = ["/usr/bin/env", "-S", "sh -e tools/gen {source}"]
    assert script_files(command, tmp_path, shell=False) == ("tools/gen",)


def test_a_script_that_is_yet_to_be_written_counts(tmp_path: Path) -> None:
    assert script_files(["sh", "-e", "tools/gen.sh", "{source}"], tmp_path, shell=False) == ("tools/gen.sh",)


def test_a_module_run_by_python_imports_from_the_project(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/x.py").write_text("import tools.a\nfrom . import b\n")
    (tmp_path / "tools/a.py").write_text("")
    (tmp_path / "tools/b.py").write_text("")
    files = script_files(["python3", "-u", "-m", "tools.x"], tmp_path, shell=False)
    assert set(files) == {"tools/x.py", "tools/a.py", "tools/b.py"}


def test_a_package_run_by_python_is_its_main_module(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/__init__.py").write_text("")
    (tmp_path / "tools/__main__.py").write_text("from . import b\n")
    (tmp_path / "tools/b.py").write_text("")
    files = script_files(["python3", "-m", "tools"], tmp_path, shell=False)
    assert set(files) == {"tools/__init__.py", "tools/__main__.py", "tools/b.py"}
