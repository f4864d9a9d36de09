"""No value in a document, a file's stat or the configuration ends the daemon or delays another page."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from e2e.harness import Corner, Daemon, Project, eventually
from e2e.rules import PAGES, SUMS, TEXTS, rule

YEAR_57970 = 1_767_225_600_000
PLUG_INS = rule("docs/**/*.x", "python", "{dir}/{stem}.o", 'function = "plug:f"\n')


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = Project(tmp_path_factory.mktemp("outside") / "project")
    project.configure(PAGES, SUMS, TEXTS, PLUG_INS)
    project.write("plug.py", "def f(document):\n    return 'made'\n")
    project.write("docs/bystander.txt", "here all along")
    with project.daemon() as daemon:
        yield daemon


@pytest.mark.parametrize("seconds", [YEAR_57970, 15_032_385_535, 9_300_000_000, 0, -1, -2_000_000_000, -(1 << 33)])
def test_files_may_have_times_of_any_year(corner: Corner, seconds: int) -> None:
    corner.write("a.txt", "one")
    corner.wait()
    os.utime(corner.path("a.txt"), (seconds, seconds))
    corner.wait()
    corner.write("a.txt", "two")
    os.utime(corner.path("a.txt"), (seconds, seconds))
    corner.wait()
    assert corner.outputs() == {"a.txt": b"two"}


HALVES = {
    "a page": r'{{ page("\ud83d\ude80.md").title }}',
    "an include": r'{% include "\ud800.md" %}',
    "a pattern": r'{{ pages("\ud800*.md")|length }}',
    "an output": r'{{ output("\ud800.md").url }}',
    "a NUL": r'{{ page("a\0.md").title }}',
    "too long a path": '{{ page("' + "a" * 5_000 + '") }}',
    "too long a name": '{{ page("' + "a" * 300 + '.md") }}',
    "braces": '{{ pages("/docs/{1..100000}.md")|length }}',
    "nested braces": '{{ pages("' + "{1..9}" * 100 + '.md")|length }}',
    "computed": r'{{ page("\ud8" ~ "00" ~ "\ud800") }}',
}


@pytest.mark.parametrize("text", HALVES.values(), ids=HALVES)
def test_an_invalid_path_or_pattern_fails_its_page_with_the_line(corner: Corner, text: str) -> None:
    corner.write("evil.md", f"one\n\n{text}\n")
    corner.write("good.txt", "good")
    told = corner.wait(code=1)
    (error,) = [each["error"] for each in told["failed"] if each["document"] == corner.document("evil.md")]
    assert error.startswith(f"{corner.document('evil.md')}:3: ")
    assert corner.outputs() == {"good.txt": b"good"}
    corner.write("evil.md", "mended")
    corner.wait()


DEEP = {
    "minus": "{{ " + "-" * 100_000 + "1 }}",
    "parentheses": "{{ " + "(" * 100_000 + "1 }}",
    "attributes": "{{ a" + ".b" * 100_000 + " }}",
    "patterns": "".join(f'{{{{ pages("x{number}*.md")|length }}}}\n' for number in range(5_000)),
    "includes": "".join(f'{{% include "x{number}.md" %}}\n' for number in range(50_000)),
    "a title": '---\ntitle: "\\ud83d"\n---\n',
}


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_an_oversized_page_delays_no_other(corner: Corner, text: str) -> None:
    corner.write("evil.md", text)
    corner.write("good.txt", "good")
    corner.project.wait(code=None)
    assert corner.outputs()["good.txt"] == b"good"
    corner.write("evil.md", "mended")
    corner.wait()


def test_an_expression_that_would_backtrack_still_finds_its_matches(corner: Corner) -> None:
    corner.write("a.sum", "needs " + "a" * 100_000 + "!\n")
    corner.write("good.txt", "good")
    corner.project.wait(code=None)
    assert corner.outputs()["good.txt"] == b"good"


@pytest.mark.parametrize("source", ["x=" + "-" * 100_000 + "1", "\0", "def (", "[" * 100_000])
def test_an_invalid_plug_in_fails_only_its_own_documents(corner: Corner, source: str) -> None:
    corner.write("a.x", "x")
    corner.wait()
    corner.project.write("plug.py", source)
    told = corner.wait(code=1)
    assert all(each["error"].startswith("plug.py") for each in told["failed"])
    corner.project.write("plug.py", "def f(document):\n    return 'made'\n")
    corner.wait()
    assert corner.outputs() == {"a.o": b"made"}


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_config_that_is_no_regular_file_keeps_the_last_good_one(corner: Corner, kind: str) -> None:
    file, mark = corner.project.root / "kahnd.toml", corner.project.mark()
    good = file.read_bytes()
    file.unlink()
    (os.mkfifo if kind == "pipe" else os.mkdir)(file)
    eventually(lambda: corner.project.log("config.invalid", mark), "the config is told of")
    file.unlink() if kind == "pipe" else file.rmdir()
    file.write_bytes(good)
    corner.write("a.txt", "a")
    corner.wait()
    assert corner.outputs() == {"a.txt": b"a"}


def test_a_lone_surrogate_in_a_plug_ins_error_is_reported(corner: Corner) -> None:
    corner.project.write("plug.py", "def f(document):\n    raise ValueError('\\ud83d' * 3)\n")
    corner.write("a.x", "x")
    told = corner.wait(code=1)
    assert any(r"\ud83d" in each["error"] for each in told["failed"])
    corner.project.write("plug.py", "def f(document):\n    return 'made'\n")
    corner.wait()


if sys.platform != "linux":
    pytestmark = pytest.mark.skip("the times are those of Linux' file systems")
