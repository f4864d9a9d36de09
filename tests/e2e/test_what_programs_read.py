"""Dependencies that programs report, and those that their rules' expressions find: none is missed, none blocks."""

from __future__ import annotations

import pytest

from e2e.harness import Finished, Project, eventually
from e2e.rules import command, rule

PROGRAM = """
[[rules]]
match = "docs/**/*.in"
renderer = "command"
command = ["sh", "-e", "{source}", "{output}", "{depfile}"]
output = "{dir}/{stem}.out"

[[rules]]
match = "data/**/*.csv"
renderer = "copy"
"""
BOOK = """
[[rules]]
match = "docs/*.book"
renderer = "command"
command = ["sh", "tools/bind.sh", "{source}", "{output}"]
scan = ['^see (\\S+)']
output = "{stem}.out"

[[rules]]
match = "data/*.raw"
renderer = "command"
command = ["sh", "-c", "tr a-z A-Z < $0 > $1", "{source}", "{output}"]
output = "{stem}.up"
"""
SOURCES = '[project]\nsources = ["docs", "data"]\n[watch]\nrescan_s = 0\n'


@pytest.fixture
def program(project: Project) -> Project:
    project.write("kahnd.toml", SOURCES + PROGRAM)
    project.write_all({"docs/.keep": "", "data/.keep": ""})
    return project


@pytest.fixture
def book(project: Project) -> Project:
    project.write("kahnd.toml", SOURCES + BOOK)
    project.write_all({"docs/.keep": "", "data/.keep": ""})
    project.write("tools/bind.sh", "cat docs/parts/*.txt data/*.csv site/n.up > $2 2> /dev/null || true\n")
    return project


def _build(project: Project) -> Finished:
    return project.kahnd("build", "--json", code=None)


def _rendered(project: Project) -> list[str]:
    rendered: list[str] = _build(project).json["rendered"]
    return sorted(rendered)


def test_a_file_that_a_program_writes_anew_with_the_same_bytes_has_not_changed(program: Project) -> None:
    script = 'echo settled > docs/a.aux\ncat docs/a.aux > $1\necho "$1: docs/a.aux" > $2\n'
    program.write("docs/a.in", script)
    assert _rendered(program) == ["docs/a.in"]
    assert _rendered(program) == []
    program.path("docs/a.aux").unlink()
    assert _rendered(program) == []  # it is run, makes the same file, and so all is as it was
    assert program.read("docs/a.aux") == "settled\n"


def test_a_program_that_writes_its_own_source_anew_with_the_same_bytes_is_done(program: Project) -> None:
    program.write("docs/a.in", 'cp docs/a.in docs/copy\ncat docs/copy > docs/a.in\necho made > $1\necho "$1:" > $2\n')
    assert _rendered(program) == ["docs/a.in"]
    assert _rendered(program) == []


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("document", ["docs/a.in", "data/z/a.in"])
def test_an_output_in_the_list_is_a_dependency_on_what_renders_to_it(
    project: Project, workers: str, document: str
) -> None:
    project.write("kahnd.toml", SOURCES + PROGRAM.replace("docs/**/*.in", "*/**/*.in"))
    project.env["KAHND_POOL__WORKERS"] = workers
    project.write(document, 'echo "$1: site/x.csv" > $2\ncat site/x.csv > $1 2> /dev/null || echo none > $1\n')
    project.write("data/x.csv", "one\n")
    _build(project)
    output = "a.out" if document.startswith("docs") else "z/a.out"
    assert project.output(output) == "one\n"
    assert _rendered(project) == []
    project.write("data/x.csv", "two\n")
    assert _rendered(project) == ["data/x.csv", document]
    assert project.output(output) == "two\n"
    project.path("data/x.csv").unlink()
    _build(project)
    assert project.output(output) == "none\n"
    project.write("data/x.csv", "three\n")
    _build(project)
    assert project.output(output) == "three\n"
    assert not _build(project).json["warnings"]


def test_an_output_in_the_list_may_come_from_another_document_than_before(program: Project) -> None:
    program.write("docs/a.in", 'echo "$1: site/x.csv" > $2\ncat site/x.csv > $1 2> /dev/null || echo none > $1\n')
    _build(program)
    assert program.output("a.out") == "none\n"
    program.write("data/x.csv", "one\n")
    _build(program)
    assert program.output("a.out") == "one\n"


def test_an_output_that_stays_the_same_renders_nothing_further(project: Project) -> None:
    first = 'command = ["sh", "-c", "head -n1 $0 > $1", "{source}", "{output}"]\noutput = "{stem}.csv"\n'
    project.write("kahnd.toml", SOURCES + PROGRAM.replace('renderer = "copy"\n', f'renderer = "command"\n{first}'))
    project.write("docs/a.in", 'echo "$1: site/x.csv" > $2\ncat site/x.csv > $1\n')
    project.write("data/x.csv", "one\n")
    _build(project)
    project.write("data/x.csv", "one\nmore\n")
    assert _rendered(project) == ["data/x.csv"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_missing_path_in_the_list_blocks_nothing_and_is_followed(program: Project, workers: str) -> None:
    program.env["KAHND_POOL__WORKERS"] = workers
    script = 'cat data/x.csv data/local.cfg > $1 2> /dev/null || true\necho "$1: data/x.csv data/local.cfg" > $2\n'
    program.write_all({"docs/a.in": script, "data/x.csv": "one\n"})
    built = _build(program)
    assert built.code == 0
    assert "data/local.cfg" in built.told
    program.write("data/x.csv", "two\n")
    assert _build(program).code == 0
    program.write("data/local.cfg", "local\n")
    _build(program)
    assert program.output("a.out") == "two\nlocal\n"


def test_a_path_in_the_list_is_relative_to_the_project_or_to_the_documents_folder(program: Project) -> None:
    script = 'cat docs/deep/part.txt > $1\necho "$1: part.txt" > $2\n'
    program.write_all({"docs/deep/a.in": script, "docs/deep/part.txt": "one\n"})
    assert not _build(program).json["warnings"]
    program.write("docs/deep/part.txt", "two\n")
    assert _rendered(program) == ["docs/deep/a.in"]


@pytest.mark.parametrize(
    ("listed", "warned"),
    [
        ("nowhere/x.txt", "nowhere/x.txt, which is not there"),
        ("tools/x.txt", "tools/x.txt, which is in none of the project's sources"),
        ("/usr/include/nothing.h", None),
        ("/usr/bin/env", None),
        ("docs/a.in", None),
        ("$1 $2 .kahnd/outputs", None),
        ("site/a.out", None),
        ("x" * 500, "x" * 200 + "…, which is not there"),
        ("docs/part.txt | docs/a.in # and no more", None),
    ],
)
def test_a_path_that_can_not_be_followed_is_named(program: Project, listed: str, warned: str | None) -> None:
    program.write_all(
        {"docs/a.in": f'echo made > $1\necho "$1: {listed}" > $2\n', "tools/x.txt": "", "docs/part.txt": ""}
    )
    warnings = _build(program).json["warnings"]
    assert [warned in each["message"] for each in warnings if warned] == ([True] if warned else [])
    assert bool(warnings) is bool(warned)


def test_the_rules_script_in_the_list_is_followed_as_it_is(book: Project) -> None:
    rule = BOOK.replace('"{output}"]\nscan', '"{output}", "{depfile}"]\nscan', 1)
    book.write("kahnd.toml", SOURCES + rule)
    book.write_all({"docs/a.book": "", "tools/bind.sh": 'cp $1 $2\necho "$2: tools/bind.sh" > $3\n'})
    assert not _build(book).json["warnings"]
    book.write("tools/bind.sh", "echo other > $2\n: > $3\n")
    _build(book)
    assert book.output("a.out") == "other\n"


def test_a_list_that_is_a_link_counts_as_none(program: Project) -> None:
    program.write_all({"docs/a.in": "echo made > $1\nln -s $PWD/data/list $2\n", "data/list": "a: docs/a.in\n"})
    built = _build(program)
    assert built.code == 1
    assert "did not write its list of dependencies" in built.told


@pytest.mark.parametrize(
    ("found", "warned"),
    [
        ("../tools/x.txt", "../tools/x.txt, which is in none of the project's sources"),
        ("../nowhere/x.txt", "../nowhere/x.txt, which is not there"),
        ("../../../nowhere.txt", "../../../nowhere.txt, which is not there"),
        ("https://example.org/x.txt", None),
        ("/usr/bin/env", None),
        ("parts/x.txt", None),
    ],
)
def test_a_path_that_scan_finds_and_nobody_follows_is_named(book: Project, found: str, warned: str | None) -> None:
    book.write_all({"docs/a.book": f"see {found}\n", "docs/parts/x.txt": "", "tools/x.txt": ""})
    warnings = _build(book).json["warnings"]
    assert [f"its rule's scan finds {warned}" in each["message"] for each in warnings if warned] == [True] * bool(
        warned
    )
    assert bool(warnings) is bool(warned)


def test_a_broken_list_is_reported(program: Project) -> None:
    program.write("docs/a.in", "echo made > $1\necho docs/part.txt > $2\n")
    assert "'docs/part.txt' in the list" in _build(program).told


@pytest.mark.parametrize("listed", ["data/parts", "data/parts/*.txt", "data/parts/**"])
def test_a_folder_or_a_pattern_in_the_list_stands_for_what_is_in_it(program: Project, listed: str) -> None:
    program.write_all(
        {"docs/a.in": f'cat data/parts/*.txt > $1\necho "$1: {listed}" > $2\n', "data/parts/x.txt": "one\n"}
    )
    _build(program)
    program.write("data/parts/x.txt", "two\n")
    _build(program)
    assert program.output("a.out") == "two\n"
    program.write("data/parts/y.txt", "new\n")
    _build(program)
    assert program.output("a.out") == "two\nnew\n"


def test_a_failed_run_comes_back_for_what_it_missed(program: Project) -> None:
    program.write("docs/a.in", 'echo "$1: data/late.csv" > $2\ncat data/late.csv > $1\n')
    with program.daemon(settled=False):
        assert program.kahnd("wait", code=None).code == 1
        program.write("data/late.csv", "here\n")
        assert program.kahnd("wait", code=None).code == 0
        assert program.output("a.out") == "here\n"


def test_the_expressions_are_tried_on_plain_files_too(book: Project) -> None:
    book.write_all(
        {
            "docs/m.book": "see parts/one.txt\n",
            "docs/parts/one.txt": "see two.txt\n",
            "docs/parts/two.txt": "see ../../data/s.csv\nsee ../../data/n.raw\nsee one.txt\nsee ../../data/late.csv\n",
            "data/s.csv": "s1\n",
            "data/n.raw": "abc\n",
        }
    )
    assert _build(book).code == 0
    assert _rendered(book) == []
    assert book.output("m.out").endswith("s1\nABC\n")
    book.write("data/s.csv", "s2\n")
    book.write("data/n.raw", "def\n")
    assert _rendered(book) == ["data/n.raw", "docs/m.book"]
    assert book.output("m.out").endswith("s2\nDEF\n")
    book.write("data/late.csv", "late\n")
    assert _rendered(book) == ["docs/m.book"]
    book.write("docs/parts/two.txt", "nothing more\n")
    _build(book)
    book.write("data/s.csv", "s3\n")
    assert _rendered(book) == []


def test_an_output_that_a_text_names_is_finished_first(book: Project) -> None:
    book.env["KAHND_POOL__WORKERS"] = "1"
    book.write_all({"docs/m.book": "see site/n.up\n", "data/n.raw": "abc\n"})
    assert _build(book).code == 0
    assert book.output("m.out") == "ABC\n"
    book.write("data/n.raw", "def\n")
    assert _rendered(book) == ["data/n.raw", "docs/m.book"]
    assert book.output("m.out") == "DEF\n"
    book.path("data/n.raw").unlink()
    assert "needs site/n.up" in _build(book).told


def test_the_script_that_a_rule_runs_is_part_of_its_recipe(book: Project) -> None:
    book.write_all({"docs/m.book": "", "tools/bind.sh": "echo one > $2\n"})
    _build(book)
    book.write("tools/bind.sh", "echo two > $2\n")
    assert _rendered(book) == ["docs/m.book"]
    with book.daemon(settled=False):
        book.write("tools/bind.sh", "echo three > $2\n")
        book.kahnd("wait", code=None)
        assert book.output("m.out") == "three\n"
        book.write("tools/bind.sh", "exit 1\n")
        eventually(lambda: book.kahnd("wait", code=None).code == 1, "the script fails")
        book.write("tools/bind.sh", "echo four > $2\n")
        eventually(lambda: book.output("m.out") == "four\n", "the script is mended")


def test_files_that_match_a_rules_deps_are_dependencies(project: Project) -> None:
    joined = command(
        "sh", "-c", 'cat "$0" docs/parts/*.txt > "$1"', "{source}", "{output}", more='deps = ["parts/*.txt"]\n'
    )
    project.configure(rule("docs/*.in", "command", "{stem}.out", joined), rule("docs/**/*.md", "copy"))
    project.write_all({"docs/a.in": "A", "docs/parts/1.txt": "1", "docs/parts/x.md": "x"})
    project.build()
    assert project.output("a.out") == "A1"
    with project.daemon():
        project.write("docs/parts/2.txt", "2")
        project.wait()
        assert project.output("a.out") == "A12"
        project.write("docs/parts/1.txt", "one")
        project.wait()
        assert project.output("a.out") == "Aone2"
        mark = project.mark()
        project.write("docs/parts/x.md", "y")
        project.wait()
        assert project.rendered(mark) == ["docs/parts/x.md"]
        project.remove("docs/parts/2.txt")
        project.wait()
        assert project.output("a.out") == "Aone"
    assert project.outputs() == project.fresh_outputs()


def test_a_rules_deps_that_match_nothing_are_warned_of(project: Project) -> None:
    joined = command("cat", "{source}", stdout=True, more='deps = ["nowhere/*.txt"]\n')
    project.configure(rule("docs/*.in", "command", "{stem}.out", joined))
    project.write("docs/a.in", "A")
    assert "nowhere/*.txt" in str(project.build()["warnings"])


@pytest.mark.parametrize("pattern", ["/etc/*", ""])
def test_deps_that_are_no_patterns_are_an_error_with_their_line(project: Project, pattern: str) -> None:
    joined = command("cat", "{source}", stdout=True, more=f'deps = ["{pattern}"]\n')
    project.configure(rule("docs/*.in", "command", "{stem}.out", joined))
    told = project.kahnd("build", code=2).told
    assert "kahnd.toml:" in told
    assert "deps" in told
