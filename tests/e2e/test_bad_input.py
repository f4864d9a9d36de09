"""Bad documents: told with file, line and remedy, never a traceback, and everything unaffected is rendered.

Each case is shown to a build, then broken and mended under a running daemon.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from e2e.harness import Corner, Daemon, Project
from e2e.rules import COPIES, PAGES, SCRIPTS, SUMS, TEXTS, command, rule, toml

MISSING_PROGRAM = rule(
    "docs/**/*.gone", "command", "{dir}/{stem}.out", command("no-such-program", "{source}", stdout=True)
)
BRIEF = rule(
    "docs/**/*.brief", "command", "{dir}/{stem}.out", command("sh", "{source}", "{output}", more="timeout_s = 4\n")
)
WITHOUT_PRIVILEGE = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)


@dataclass(frozen=True)
class Case:
    """A document that can't be rendered, what is said of it, and a way to mend it."""

    document: str
    bad: str | bytes
    good: str
    words: tuple[str, ...]
    line: int = 0
    told_of: str = ""
    status: str = "failed"
    code: int = 1
    files: dict[str, str] = field(default_factory=dict)

    def place_in(self, folder: str) -> str:
        """The file, and the line where there is one, that the message must name."""
        file = f"{folder}/{self.told_of or self.document}"
        return f"{file}:{self.line}" if self.line else file


CASES = {
    "a missing include": Case(
        "page.md", '# A\n\n{% include "_nowhere.md" %}\n', "# A\n", ("docs/_nowhere.md",), line=3, status="blocked"
    ),
    "a missing data sheet": Case("a.txt", 'a\n{{ data("no.csv") }}', "A", ("docs/no.csv",), line=2, status="blocked"),
    "an include out of the project": Case(
        "a.txt", '\n{% include "../../../etc/passwd" %}', "A", ("out of the project",), line=2
    ),
    "an absolute path out of the project": Case(
        "a.txt", '{% include "/../etc/passwd" %}', "A", ("out of the project",), line=1
    ),
    "an include that leads out by a link": Case("a.txt", '{% include "_link/passwd" %}', "A", ("_link",)),
    "a template's syntax": Case("page.md", "# A\n\n{% if x %}\n", "# A\n", ("endif",), line=3),
    "a syntax error in an included file": Case(
        "a.txt",
        '{% include "_b.txt" %}',
        "A",
        ("nonsense",),
        line=2,
        told_of="_b.txt",
        files={"_b.txt": "\n{% nonsense %}"},
    ),
    "a template's undefined name": Case("a.txt", "\n\n{{ undefnied.name }}", "A", ("undefnied",), line=3),
    "a division by zero in a template": Case("a.txt", "\n{{ 1 // 0 }}", "A", ("zero",), line=2),
    "a way out of the sandbox": Case("a.txt", "{{ ().__class__.__base__ }}", "A", ("__",), line=1),
    "front matter that is no YAML": Case(
        "page.md", "---\ntitle: A\nb: [\n---\n# A\n", "# A\n", ("front matter",), line=4
    ),
    "front matter that is no mapping": Case("page.md", "---\n- a: 1\n- b: 2\n---\n# A\n", "# A\n", ("front matter",)),
    "front matter without an end": Case("page.md", "---\ntitle: A\n", "# A\n", ("front matter", "---")),
    "front matter with a wrong type": Case("page.md", "---\ndepends_on: 7\n---\n", "# A\n", ("depends_on",), line=2),
    "a page template that is missing": Case(
        "page.md", "---\ntemplate: nowhere.html\n---\n", "# A\n", ("nowhere.html",), status="blocked"
    ),
    "data that is none": Case(
        "a.txt", '{{ data("d.json").a }}', "A", (), line=2, told_of="d.json", files={"d.json": '{"a": 1,\n"b"}'}
    ),
    "a page that is not UTF-8": Case("page.md", b"# A\n\nna\xefve\n", "# A\n", ("UTF-8",), line=3),
    "a template that is not UTF-8": Case("a.txt", b"\xff", "A", ("UTF-8",), line=1),
    "a command that is not found": Case("a.gone", "A", "", ("no-such-program",)),
    "a command that fails": Case("a.sh", "echo why it failed >&2; exit 3", 'echo A > "$1"', ("why it failed", "3")),
    "a command that is killed": Case("a.sh", "kill -9 $$", 'echo A > "$1"', ("9",)),
    "a command that hangs": Case("a.brief", "sleep 1000", 'echo A > "$1"', ("timeout_s",)),
    "a command that writes no output": Case("a.sh", "true", 'echo A > "$1"', ("output",)),
    "a dependency of a command that is missing": Case(
        "a.sum", "needs nowhere.sum", "A", ("docs/nowhere.sum",), status="blocked"
    ),
    "a document that depends on itself": Case("a.txt", '{% include "a.txt" %}', "A", (), code=3),
}


def _configured(project: Project) -> Project:
    rules = (PAGES, TEXTS, SUMS, SCRIPTS, COPIES, MISSING_PROGRAM, BRIEF)
    project.write_all({"kahnd.toml": toml(*rules), "docs/well.txt": "well"})
    return project


def _folder(name: str) -> str:
    return f"docs/{list(CASES).index(name)}"


def _break(project: Project, case: Case, folder: str) -> None:
    for name, content in case.files.items():
        project.write(f"{folder}/{name}", content)
    if "_link" in str(case.bad):
        project.path(folder).mkdir(exist_ok=True)
        project.path(f"{folder}/_link").symlink_to("/etc")
    project.write(f"{folder}/{case.document}", case.bad)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Returns the messages of one build about each case; every case has a folder of its own."""
    project = _configured(Project(tmp_path_factory.mktemp("build") / "project"))
    cases = {name: case for name, case in CASES.items() if case.code == 1}
    for name, case in cases.items():
        _break(project, case, _folder(name))
    lines = project.kahnd("build", code=1).told.splitlines()
    assert project.outputs() == {"well.txt": b"well"}
    return {name: "\n".join(_paragraph(lines, f"{_folder(name)}/{case.document}")) for name, case in cases.items()}


def _paragraph(lines: list[str], document: str) -> Iterator[str]:
    """The lines that name a document, each with the indented ones below it."""
    within = False
    for line in lines:
        within = document in line or (within and line.startswith(" "))
        if within:
            yield line


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.code == 1])
def test_a_build_reports_bad_input_with_its_place_and_renders_the_rest(told: dict[str, str], name: str) -> None:
    case = CASES[name]
    assert case.place_in(_folder(name)) in told[name]
    assert all(word.replace("docs", _folder(name), 1) in told[name] for word in case.words), told[name]
    assert "(" in told[name].splitlines()[0], "there is no remedy"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    project = _configured(Project(tmp_path_factory.mktemp("bad") / "project"))
    with project.daemon() as daemon:
        yield daemon


@pytest.mark.parametrize("name", CASES)
def test_a_daemon_reports_bad_input_and_recovers_once_it_is_corrected(running: Daemon, name: str) -> None:
    case, project, corner = CASES[name], running.project, Corner(running.project, _folder(name)[5:])
    _break(project, case, _folder(name))
    corner.write("beside.txt", "beside")
    answer = corner.wait(code=case.code)
    assert [each["document"] for each in answer[case.status]] == [corner.document(case.document)]
    if case.status == "failed":
        (failure,) = project.status()["failures"]
        assert failure["document"] == corner.document(case.document)
        assert case.place_in(_folder(name)) in failure["error"]
    assert corner.outputs() == {"beside.txt": b"beside"}
    corner.remove(case.document)
    if case.good:
        corner.write(case.document, case.good)
    corner.wait()
    assert project.status()["failures"] == []
    assert len(corner.outputs()) == 1 + bool(case.good)


def test_two_documents_for_one_output_are_an_error_that_names_both(project: Project) -> None:
    project.write("kahnd.toml", toml(PAGES, _ONE_PAGE))
    project.write_all({"docs/a.md": "# A\n", "docs/a.one": "A", "docs/b.md": "# B\n"})
    told = project.kahnd("build", code=1).told
    assert all(word in told for word in ("docs/a.md", "docs/a.one", "site/a.html"))
    assert "b.html" in project.outputs()
    project.remove("docs/a.one")
    project.build()
    assert set(project.outputs()) == {"a.html", "b.html"}


_ONE_PAGE = rule("docs/**/*.one", "copy", "{dir}/{stem}.html")


def test_two_documents_for_one_output_in_a_daemon(running: Daemon) -> None:
    project = running.project
    project.write("docs/twice/a.bin", "first")
    project.wait()
    project.write("docs/twice/a.bin.copy", "second")
    config = project.read("kahnd.toml")
    project.write("kahnd.toml", config + rule("docs/**/*.copy", "copy", "{dir}/{stem}"))
    answer = project.wait(code=1)
    told = str(answer["failed"])
    assert "docs/twice/a.bin.copy" in told
    assert "site/twice/a.bin" in told
    project.remove("docs/twice/a.bin.copy")
    assert project.wait()["failed"] == []
    assert project.output("twice/a.bin") == "first"


@pytest.mark.parametrize("has_daemon", [True, False], ids=["in a daemon", "by builds"])
def test_what_failed_by_a_limit_is_rendered_once_the_limit_is_raised(project: Project, *, has_daemon: bool) -> None:
    project.configure(SCRIPTS, extra="[pool]\noutput_mb = 1\n")
    project.write_all({"docs/large.sh": 'head -c 2000000 /dev/zero > "$1"', "docs/syntax.sh": "exit 1"})
    project.build(code=1)
    mark = project.mark()
    with project.daemon() if has_daemon else nullcontext():
        project.configure(SCRIPTS, extra="[pool]\noutput_mb = 4\n")
        told = project.wait(code=1) if has_daemon else project.build(code=1)
    assert [each["document"] for each in told["failed"]] == ["docs/syntax.sh"]
    assert project.rendered(mark) == ["docs/large.sh"]
    assert project.path("site/large.out").stat().st_size == 2_000_000


def test_a_file_that_cannot_be_read_is_told_and_the_rest_rendered(project: Project) -> None:
    project.write_all({"docs/secret.txt": "secret", "docs/well.txt": "well"})
    with _unreadable(project.path("docs/secret.txt")) as through:
        told = project.kahnd("build", code=1, through=through).told
    assert "docs/secret.txt" in told
    assert "ermission" in told
    assert project.outputs() == {"well.txt": b"well"}
    project.build()
    assert project.outputs() == {"well.txt": b"well", "secret.txt": b"secret"}


def test_a_folder_that_cannot_be_read_is_told_and_the_rest_rendered(project: Project) -> None:
    project.write_all({"docs/locked/a.txt": "A", "docs/well.txt": "well"})
    project.build()
    with _unreadable(project.path("docs/locked")) as through:
        finished = project.kahnd("build", code=1, through=through)
    assert "docs/locked" in finished.told
    assert project.outputs() == {"well.txt": b"well", "locked/a.txt": b"A"}


class _unreadable:  # noqa: N801 - reads as a verb where it is used
    """A file nobody may read, for a time; gives what a command must be run through, so that root may not either."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mode = path.stat().st_mode

    def __enter__(self) -> tuple[str, ...]:
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            pytest.skip("root reads everything, and there is no setpriv to give that up")
        self._path.chmod(0)
        return WITHOUT_PRIVILEGE if os.geteuid() == 0 else ()

    def __exit__(self, *_: object) -> None:
        self._path.chmod(self._mode)


def test_what_is_no_regular_file_is_no_document(project: Project) -> None:
    os.mkfifo(project.path("docs/pipe.txt"))
    project.path("docs/dangling.txt").symlink_to("nowhere")
    project.path("docs/around").symlink_to(".")
    project.write("docs/well.txt", "well")
    project.build()
    assert project.outputs() == {"well.txt": b"well"}


def _outside(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _too_large(path: Path) -> None:
    path.touch()
    os.truncate(path, 257 << 20)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(os.mkfifo, "no regular file"), (_outside, "out of the project"), (_too_large, "larger than 256 MiB")],
    ids=["a named pipe", "a link out of the project", "too large"],
)
def test_a_document_that_needs_an_unfit_file_is_rendered_once_that_is_corrected(
    project: Project, spoil: Callable[[Path], None], words: str
) -> None:
    project.write("kahnd.toml", toml(PAGES))
    project.write("docs/a.md", '{% set name = "x.csv" %}{% include name %}')
    spoil(project.path("docs/x.csv"))
    with project.daemon():
        (failed,) = project.wait(code=1)["failed"]
        assert words in failed["error"]
        project.path("docs/x.csv").unlink()
        project.write("docs/x.csv", "well")
        project.wait()
    assert "well" in project.output("a.html")


def test_a_name_that_is_not_unicode_does_not_stop_the_rest(project: Project) -> None:
    (project.path("docs") / os.fsdecode(b"b\xffd.txt")).write_text("odd")
    project.write("docs/well.txt", "well")
    with project.daemon():
        project.write("docs/later.txt", "later")
        project.wait()
    assert {"well.txt", "later.txt"} <= set(project.outputs())
