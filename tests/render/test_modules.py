"""What a plug-in is made of, whatever is in its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kahnd.core.model import Problem
from kahnd.render.modules import files_of
from kahnd.render.parameters import PythonParameters
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
    assert files_of(tmp_path, "plug.py") == ("plug.py",)


def test_a_pipe_in_the_place_of_a_module_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "plug.py")
    assert files_of(tmp_path, "plug.py") == ("plug.py",)


def test_a_module_that_python_can_not_compile_fails_its_documents_with_its_name(shop: Workshop) -> None:
    shop.by(("docs/**/*.x", PythonParameters("plug:f")))
    shop.write_all({"plug.py": UNPARSEABLE["a deep expression"].decode(), "docs/a.x": "x"})
    assert shop.problem("docs/a.x") == Problem(
        "Python can't compile it: an expression in it is nested too deeply", "plug.py", 0, "split the expression"
    )
