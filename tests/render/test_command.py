"""Commands: how they are called, what they are said to have read, and how they fail. Real programs only."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import msgspec
import pytest

from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Dependency, Digest, DocumentId, Failed, Kind, Problem, Rendered, Unmet
from kahnd.core.problem import MAX_WARNINGS
from kahnd.core.project_files import CACHE_STATE, CACHES
from kahnd.render.programs.process import MAX_DETAIL
from kahnd.render.renderers.parameters import CommandParameters
from kahnd.render.renderers.registry import session_files
from render.workshop import Workshop

HELLO = {"docs/a b/x.in": "hello"}


def _shop(shop: Workshop, parameters: CommandParameters, files: dict[str, str] | None = None) -> Workshop:
    shop.by(("docs/**/*.in", parameters))
    shop.write_all(HELLO if files is None else files)
    return shop


def _argv(*words: str, stdout: bool = False, fallback: str = "") -> CommandParameters:
    return CommandParameters(command=words, stdout=stdout, fallback=fallback)


def _line(line: str, *, stdout: bool = False) -> CommandParameters:
    return CommandParameters(command=line, shell=True, stdout=stdout)  # noqa: S604 - what is tested here


def _problem(shop: Workshop, *words: str) -> Problem:
    """Returns the problem of a program that fails."""
    return _shop(shop, _argv(*words)).problem("docs/a b/x.in")


def _line_problem(shop: Workshop, line: str) -> Problem:
    """Returns the problem of a shell command that fails."""
    return _shop(shop, _line(line)).problem("docs/a b/x.in")


def _target(path: str, kind: Kind = Kind.INCLUDE) -> Dependency:
    return Dependency(DocumentId(path), kind)


def test_a_command_writes_its_output(shop: Workshop) -> None:
    assert _shop(shop, _argv("cp", "{source}", "{output}")).text("docs/a b/x.in") == "hello"


def test_a_name_that_begins_with_a_dash_is_no_option(shop: Workshop) -> None:
    shop.by(("**/*.in", _argv("cat", "{source}", "{deps}", stdout=True)))
    shop.write_all({"-n.in": "1", "-E.txt": "2", "-d/-n.txt": "3"})
    job = shop.job("-n.in", dependencies=(_target("-E.txt"), _target("-d/-n.txt")))
    assert isinstance(shop.run(job), Rendered)
    assert (shop.root / job.stage).read_text() == "123"


def test_every_placeholder_is_filled_in(shop: Workshop) -> None:
    words = ("{source}", "{dir}", "{stem}", "{root}", "-{deps}-", "{deps}", "${HOME}", "{}")
    _shop(shop, _argv("printf", "%s\n", *words, stdout=True))
    job = shop.job("docs/a b/x.in", dependencies=(_target("docs/y z.csv"), _target("docs/w.in", Kind.OUTPUT)))
    assert isinstance(shop.run(job), Rendered)
    assert (shop.root / job.stage).read_text().splitlines() == [
        "docs/a b/x.in",
        "docs/a b",
        "x",
        str(shop.root),
        "-docs/y z.csv site/w.out-",
        "docs/y z.csv",
        "site/w.out",
        "${HOME}",
        "{}",
    ]


def test_no_dependencies_are_no_argument(shop: Workshop) -> None:
    assert _shop(shop, _argv("echo", "{deps}", "end", stdout=True)).text("docs/a b/x.in") == "end\n"


def test_a_shells_line_gets_everything_quoted(shop: Workshop) -> None:
    files = {"docs/$(touch pwned)/a;b.in": "hello"}
    _shop(shop, _line("X=1; tr a-z A-Z < {source} > {output} && echo ${X}{deps} >> {output}"), files)
    job = shop.job("docs/$(touch pwned)/a;b.in", dependencies=(_target("docs/y z.csv"),))
    assert isinstance(shop.run(job), Rendered)
    assert (shop.root / job.stage).read_text() == "HELLO1docs/y z.csv\n"
    assert not (shop.root / "pwned").exists()


def test_standard_output_can_be_the_output_and_only_that(shop: Workshop) -> None:
    parameters = _line("echo out; echo aside >&2", stdout=True)
    assert _shop(shop, parameters).text("docs/a b/x.in") == "out\n"


def test_standard_input_is_empty(shop: Workshop) -> None:
    assert _shop(shop, _argv("cat", stdout=True)).text("docs/a b/x.in") == ""


def test_what_it_was_given_to_read_is_not_told_again(shop: Workshop) -> None:
    _shop(shop, _argv("true", stdout=True))
    given = (_target("docs/y.csv"), _target("docs/old.h", Kind.DISCOVERED))
    assert shop.run(shop.job("docs/a b/x.in", dependencies=given)).reads == ()


@pytest.mark.parametrize("line", ["echo more >> {deps}; cp {deps} {output}", "echo more >> {deps}; false"])
def test_what_a_program_read_while_it_changed_is_told_with_its_bytes(shop: Workshop, line: str) -> None:
    _shop(shop, _line(line), {**HELLO, "docs/y.csv": "1"})
    outcome = shop.run(shop.job("docs/a b/x.in", dependencies=(_target("docs/y.csv"),)))
    assert [(each.dependency.target, each.hash) for each in outcome.reads] == [("docs/y.csv", hash_bytes(b"1more\n"))]


def test_a_document_that_is_another_by_now_is_not_given_to_a_program(shop: Workshop) -> None:
    _shop(shop, _line("touch ran; cp {source} {output}"))
    job = shop.job("docs/a b/x.in")
    shop.write("docs/a b/x.in", "other")
    outcome = shop.run(job)
    assert isinstance(outcome, Unmet)
    assert outcome.needs.target == "docs/a b/x.in"
    assert not (shop.root / "ran").exists()


# failing


def test_a_program_that_is_not_there_is_named_with_the_rules_line(shop: Workshop) -> None:
    problem = _problem(shop, "no-such-program", "{output}")
    assert (problem.file, problem.line) == ("kahnd.toml", 10)
    assert "docs/a b/x.in needs the program 'no-such-program'" in problem.message
    assert "install no-such-program" in problem.remedy


@pytest.mark.parametrize(
    ("content", "mode", "reason", "remedy"),
    [
        ("text", 0o644, "is not executable", "chmod +x tools/x"),
        (b"\0\1\2", 0o755, "is no program", "#!/bin/sh"),
        ("", 0o755, "is empty", "write tools/x"),
        ("\ufeff#!/bin/sh\n", 0o755, "begins with a byte order mark", "save tools/x"),
        ("#!/bin/sh\r\necho hi\r\n", 0o755, "has a first line that ends with CRLF", "sed -i"),
        ("#!/usr/bin/env sh\r\necho hi\r\n", 0o755, "has a first line that ends with CRLF", "sed -i"),
        ("#!/nowhere/perl -w\n", 0o755, "needs the interpreter /nowhere/perl, which is not there", "install"),
        ("#!/usr/bin/env no-such-language\n", 0o755, "needs the interpreter no-such-language", "install"),
        ("#!/usr/bin/env -S no-such-language -u\n", 0o755, "needs the interpreter no-such-language", "install"),
    ],
)
def test_a_file_that_can_not_start_is_told_with_the_reason(
    shop: Workshop, content: str | bytes, mode: int, reason: str, remedy: str
) -> None:
    shop.write("tools/x", content).chmod(mode)
    problem = _problem(shop, "tools/x", "{output}")
    assert (problem.file, problem.line) == ("kahnd.toml", 10)
    assert "needs the program 'tools/x', which " in problem.message
    assert reason in problem.message
    assert remedy in problem.remedy
    _shop(shop, _argv("tools/x", "{output}", fallback="docs/none.svg")).write("docs/none.svg", "not drawn")
    outcome = shop.outcome("docs/a b/x.in")
    assert isinstance(outcome, Rendered)
    (warning,) = outcome.warnings
    assert f"'tools/x' {reason}" in str(warning)


def test_a_folder_or_a_link_that_leads_nowhere_is_no_program(shop: Workshop) -> None:
    shop.write("tools/x", "")
    assert "which is a folder" in _problem(shop, "./tools", "{output}").message
    (shop.root / "tools/link").symlink_to("gone")
    assert "which is a link to gone, which is not there" in _problem(shop, "tools/link", "{output}").message
    assert "which is not there" in _problem(shop, "tools/none", "{output}").message


def test_a_program_for_another_machine_is_named_as_such(shop: Workshop) -> None:
    foreign = bytearray(Path("/bin/sh").resolve().read_bytes()[:4096])
    foreign[18:20] = (0xF3 if platform.machine() != "riscv64" else 0x3E).to_bytes(2, "little")
    shop.write("tools/x", bytes(foreign)).chmod(0o755)
    assert "is a program for another machine" in _problem(shop, "tools/x", "{output}").message


def test_a_binary_whose_loader_is_not_there_is_named_as_such(shop: Workshop) -> None:
    loader = re.search(rb"/lib[\w./-]*ld[\w.-]*\.so[\w.]*", own := Path("/bin/sh").resolve().read_bytes())
    assert loader
    gone = own.replace(loader[0], loader[0][:-1] + b"9")
    shop.write("tools/x", gone).chmod(0o755)
    assert "needs the loader /lib" in _problem(shop, "tools/x", "{output}").message


def test_a_program_on_the_path_that_is_not_executable_is_not_said_to_be_missing(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("bin/there", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    problem = _problem(shop, "there", "{output}")
    assert "'there', which is not executable" in problem.message
    assert problem.remedy == f"chmod +x {tmp_path}/bin/there"


def test_too_many_arguments_are_told(shop: Workshop) -> None:
    problem = _problem(shop, "true", "{output}", "x" * 300_000)
    assert "its arguments are too long (300" in problem.message


def test_a_script_in_a_shells_line_that_can_not_start_is_told(shop: Workshop) -> None:
    shop.write("tools/x", "#!/bin/sh\n")
    assert "tools/x is not executable: chmod +x" in _line_problem(shop, "tools/x {output}").remedy
    shop.write("tools/x", "#!/bin/sh\r\n").chmod(0o755)
    assert "CRLF" in _line_problem(shop, "tools/x {output}").remedy


def test_a_program_of_the_project_is_found_from_anywhere(
    shop: Workshop, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.write("tools/make", '#!/bin/sh\necho made > "$1"\n').chmod(0o755)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert _shop(shop, _argv("tools/make", "{output}")).text("docs/a b/x.in") == "made\n"


def test_an_exit_code_is_told_with_what_it_said(shop: Workshop) -> None:
    problem = _line_problem(shop, "echo one; echo two >&2; exit 3; {output}")
    assert (problem.file, problem.detail) == ("docs/a b/x.in", "one\ntwo")
    assert "exit code 3" in problem.message


def test_a_signal_is_told(shop: Workshop) -> None:
    assert "signal 9" in _line_problem(shop, "kill -9 $$; {output}").message


def test_a_program_missing_inside_a_shells_line_is_told(shop: Workshop) -> None:
    problem = _line_problem(shop, "no-such-program {output}")
    assert "install it" in problem.remedy
    assert "no-such-program" in problem.detail


def test_only_the_end_of_what_it_says_is_kept(shop: Workshop) -> None:
    problem = _line_problem(shop, "head -c 3000000 /dev/zero | tr '\\0' x; echo end; exit 1; {output}")
    assert len(problem.detail) == MAX_DETAIL
    assert problem.detail.endswith("xend")


@pytest.mark.parametrize("script", ["true", "mkdir {output}", "ln -s /etc/passwd {output}"])
def test_an_output_that_is_no_file_is_no_output(shop: Workshop, script: str) -> None:
    assert "wrote no output" in _line_problem(shop, f"{script} # {{output}}").message


@pytest.mark.parametrize("leave", ["echo stale >", "mkdir", "ln -s /etc/passwd"])
def test_what_an_earlier_run_left_in_the_stage_is_not_taken_for_an_output(shop: Workshop, leave: str) -> None:
    parameters = _line(f"test -e keep && {{ true; }} || {leave} {{output}}")
    _shop(shop, parameters)
    job = shop.job("docs/a b/x.in")
    shop.run(job)
    shop.write("keep", "")
    outcome = shop.run(job)
    assert isinstance(outcome, Failed)
    assert "wrote no output" in outcome.problem.message


# what it read


def _with_depfile(shop: Workshop, listed: str, *others: str) -> list[tuple[str, Kind]]:
    script = f"printf '%s' '{listed}' > {{depfile}}; echo made > {{output}}"
    _shop(shop, _line(script), {**HELLO, "docs/part.csv": "", "docs/y.in": ""})
    shop.write_all(dict.fromkeys(others, ""))
    shop.let_time_pass()
    job = shop.job("docs/a b/x.in", dependencies=(_target("docs/y.in", Kind.OUTPUT), _target("docs/k.csv")))
    outcome = shop.run(job)
    assert isinstance(outcome, Rendered), outcome
    assert list((shop.root / job.stage).parent.iterdir()) == [shop.root / job.stage]
    return [(each.dependency.target, each.dependency.kind) for each in outcome.reads]


def test_a_list_of_what_it_read_is_followed_inside_the_sources_alone(shop: Workshop) -> None:
    listed = f"x: docs/a\\ b/x.in docs/part.csv {shop.root}/docs/../data/d.csv /usr/include/stdio.h other/y"
    found = [("docs/part.csv", Kind.DISCOVERED), ("data/d.csv", Kind.DISCOVERED)]
    assert _with_depfile(shop, listed, "other/y") == found


def test_a_dependencys_output_in_that_list_is_that_dependency(shop: Workshop) -> None:
    assert _with_depfile(shop, "x: site/y.out docs/k.csv docs/part.csv") == [("docs/part.csv", Kind.DISCOVERED)]


def test_a_list_that_was_asked_for_and_not_written_is_told(shop: Workshop) -> None:
    assert "did not write its list" in _line_problem(shop, "echo {depfile} > {output}").message


def test_what_a_failed_command_has_listed_is_in_the_account(shop: Workshop) -> None:
    """The file that it misses may appear."""
    _shop(shop, _line("echo x: docs/part.csv > {depfile}; exit 3"), HELLO)
    job = shop.job("docs/a b/x.in")
    outcome = shop.run(job)
    assert isinstance(outcome, Failed)
    assert [(each.dependency.target, each.dependency.kind) for each in outcome.reads] == [
        ("docs/part.csv", Kind.DISCOVERED)
    ]
    assert list((shop.root / job.stage).parent.iterdir()) == []


# the fallback


def _fallen_back(shop: Workshop) -> Workshop:
    parameters = _argv("no-such-program", "{output}", fallback="docs/none.svg")
    return _shop(shop, parameters, {**HELLO, "docs/none.svg": "not drawn"})


def test_a_fallback_stands_in_for_a_program_that_is_not_installed_with_a_warning(shop: Workshop) -> None:
    outcome = _fallen_back(shop).outcome("docs/a b/x.in")
    assert isinstance(outcome, Rendered)
    (warning,) = outcome.warnings
    assert "'no-such-program' is not installed: docs/none.svg stands in" in str(warning)
    assert [(each.dependency, each.hash) for each in outcome.reads] == [
        (_target("docs/none.svg"), hash_bytes(b"not drawn"))
    ]


def test_a_fallback_that_is_not_there_is_needed(shop: Workshop) -> None:
    (_fallen_back(shop).root / "docs/none.svg").unlink()
    outcome = shop.outcome("docs/a b/x.in")
    assert isinstance(outcome, Unmet)
    assert outcome.needs == _target("docs/none.svg")


def test_a_program_that_fails_is_not_fallen_back_from(shop: Workshop) -> None:
    _shop(shop, _argv("false", "{output}", fallback="docs/none.svg"), {**HELLO, "docs/none.svg": ""})
    assert "exit code 1" in shop.problem("docs/a b/x.in").message


@pytest.mark.parametrize("fallback", ["docs/none.svg", ""])
def test_installing_the_program_is_a_new_recipe(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fallback: str
) -> None:
    _shop(shop, _argv("no-such-program", "{output}", fallback=fallback))
    renderer, parameters = shop.renderers["command"], shop.layout.rules[0].parameters
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    before = renderer.fingerprint(parameters)
    assert f"{tmp_path}/bin/no-such-program" in session_files(shop.layout.rules, shop.root)
    program = shop.write("bin/no-such-program", "#!/bin/sh\n")
    assert renderer.fingerprint(parameters) == before, "it is not executable yet"
    program.chmod(0o755)
    assert renderer.fingerprint(parameters) != before
    assert f"{tmp_path}/bin/no-such-program" in session_files(shop.layout.rules, shop.root), "it may go again"


def test_the_interpreter_of_a_script_is_waited_for_too(shop: Workshop) -> None:
    _shop(shop, _argv("tools/x", "{output}"))
    shop.write("tools/x", f"#!{shop.root}/bin/language\n").chmod(0o755)
    assert {"tools/x", f"{shop.root}/bin/language"} <= session_files(shop.layout.rules, shop.root)


def test_a_failure_over_a_file_that_was_written_meanwhile_is_no_failure_yet(shop: Workshop) -> None:
    _shop(shop, _line("echo x: docs/late.csv > {depfile}; touch docs/late.csv; exit 3"), HELLO)
    assert shop.unmet("docs/a b/x.in").needs == Dependency(DocumentId("docs/late.csv"), Kind.DISCOVERED)


WARNS = """#!/bin/sh
echo "docs/a b/x.in:3:7: warning: no such figure" >&2
echo "x.in:4: I warn you"
echo "nowhere.in:4: warning: far away"
echo "warning: without a place"
echo "docs/a b/x.in:5:1: note: all is well"
echo "docs/a b/x.in:3:7: warning: no such figure" >&2
cp "$1" "$2"
"""


def test_the_warnings_of_a_successful_program_are_kept_with_their_place(shop: Workshop) -> None:
    shop.write("tools/warn", WARNS).chmod(0o755)
    outcome = _shop(shop, _argv("tools/warn", "{source}", "{output}")).outcome("docs/a b/x.in")
    assert isinstance(outcome, Rendered)
    assert outcome.warnings == (
        Problem("no such figure", "docs/a b/x.in", 3, column=7),
        Problem("I warn you", "docs/a b/x.in", 4),
    )


def test_a_rules_own_expression_finds_the_places_of_warnings_too(shop: Workshop) -> None:
    line = "echo 'Warning in x.in at 9: odd (2)'; cp {source} {output}"
    expression = r"in (\S+) at (\d+): (.*) \((\d+)\)"
    parameters = CommandParameters(command=line, shell=True, position=expression)  # noqa: S604
    outcome = _shop(shop, parameters).outcome("docs/a b/x.in")
    assert isinstance(outcome, Rendered)
    assert outcome.warnings == (Problem("odd", "docs/a b/x.in", 9, column=2),)


def test_the_warnings_of_one_document_are_bounded(shop: Workshop) -> None:
    line = "i=0; while [ $i -lt 205 ]; do i=$((i+1)); echo x.in:$i: warning: odd; done; cp {source} {output}"
    outcome = _shop(shop, _line(line)).outcome("docs/a b/x.in")
    assert isinstance(outcome, Rendered)
    assert len(outcome.warnings) == MAX_WARNINGS + 1
    assert outcome.warnings[-1] == Problem("5 more warnings are left out", "docs/a b/x.in")


def test_a_failure_has_the_column_that_the_program_names(shop: Workshop) -> None:
    problem = _line_problem(shop, "echo x.in:3:7: error: no; exit 1")
    assert (problem.file, problem.line, problem.column) == ("docs/a b/x.in", 3, 7)
    assert str(problem).startswith("docs/a b/x.in:3:7: the shell's command failed")


# a folder that stays


def _counting(shop: Workshop, line: str = "cp {cache}/runs {output}") -> Workshop:
    """A program that notes each run in its folder, and then does something."""
    return _shop(shop, _line(f"echo run >> {{cache}}/runs; {line}"))


def test_a_program_finds_what_its_former_run_kept(shop: Workshop) -> None:
    _counting(shop)
    assert [shop.text("docs/a b/x.in") for _ in range(2)] == ["run\n", "run\nrun\n"]


def test_each_document_has_a_folder_of_its_own(shop: Workshop) -> None:
    _counting(shop)
    shop.write("docs/y.in", "other")
    assert [shop.text(each) for each in ("docs/a b/x.in", "docs/y.in")] == ["run\n", "run\n"]


def test_a_program_in_another_folder_is_given_the_way_there(shop: Workshop) -> None:
    given = _line("echo run >> {cache}/runs; cp {cache}/runs {output}")
    assert _shop(shop, msgspec.structs.replace(given, cwd="{dir}")).text("docs/a b/x.in") == "run\n"


def test_another_recipe_begins_with_an_empty_folder(shop: Workshop) -> None:
    _counting(shop).text("docs/a b/x.in")
    shop.with_recipe(Digest("other"))
    assert shop.text("docs/a b/x.in") == "run\n"


def test_a_run_that_was_cut_short_leaves_nothing_for_the_next(shop: Workshop) -> None:
    _counting(shop).text("docs/a b/x.in")
    (state,) = (shop.root / CACHES).glob(f"*{CACHE_STATE}")
    state.write_bytes(b"")  # as it is while a program runs
    assert shop.text("docs/a b/x.in") == "run\n"


def test_a_run_that_fails_over_what_is_there_is_repeated_without_it(shop: Workshop) -> None:
    _counting(shop, "test $(wc -l < {cache}/runs) = 1 && cp {cache}/runs {output}")
    assert [shop.text("docs/a b/x.in") for _ in range(2)] == ["run\n", "run\n"]


def test_a_failure_with_an_empty_folder_is_no_reason_to_repeat_it(shop: Workshop) -> None:
    _counting(shop, "echo ran >> ran; false").problem("docs/a b/x.in")
    assert (shop.root / "ran").read_text() == "ran\n"


def test_a_link_in_the_place_of_the_folders_is_told_and_not_followed(shop: Workshop) -> None:
    (shop.root / ".kahnd").mkdir(exist_ok=True)
    (shop.root / "elsewhere").mkdir()
    (shop.root / CACHES).symlink_to(shop.root / "elsewhere")
    assert "the folder that its program keeps can't be used" in _counting(shop).problem("docs/a b/x.in").message
    assert not list((shop.root / "elsewhere").iterdir())
