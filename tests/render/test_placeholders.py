"""Placeholders in lines of shell: whatever a document is called, its name is a word and does nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kahnd.core.model import Failed, Rendered
from kahnd.render.programs.placeholders import misplaced
from kahnd.render.renderers.parameters import CommandParameters
from render.workshop import Workshop

HOSTILE = ("$(touch PWNED)", "`touch PWNED`", "';touch PWNED;'", '";touch PWNED;"', "\ntouch PWNED\n", "a\\'b", "$x *")


@pytest.mark.parametrize(
    "line",
    [
        "cp {source} {output}",
        "tr a-z A-Z < {source} > {output}",
        "X=1; echo ${X} {stem} > {output}",
        "echo 'a b' \"c d\" {stem} > {output}",
        's={stem}; echo "$s" > {output}',
        "echo a#b {stem}>{output}",
        "echo pre-{stem}.txt > {output} # as it is",
        "echo $(cat {source}) > {output}",
        "printf '%s|'{stem}'|' x > {output}",
        'echo "it\'s" {stem} > {output}',
        "echo 'say \"' {stem} > {output}",
        "echo \\' {stem} \\' > {output}",
        "echo $((1 + 2)) {stem} > {output}",
        'title="$(date)"; echo {stem} > {output}',
        "awk '{print $1}' {source} > {output}",
    ],
)
def test_a_placeholder_that_stands_free_is_fine_and_does_nothing(shop: Workshop, line: str) -> None:
    parameters = CommandParameters(command=line, shell=True)  # noqa: S604
    assert parameters.check() == []
    shop.by(("docs/**/*.in", parameters))
    for stem in HOSTILE:
        document = f"docs/{stem}.in"
        shop.write(document, "x")
        assert isinstance(shop.outcome(document), Rendered)
        assert not (shop.root / "PWNED").exists()


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("echo '{stem}' > {output}", "single quotes"),
        ('echo "{stem}" > {output}', "double quotes"),
        ('echo "a \\" {stem}" > {output}', "double quotes"),
        ("echo 'a\\' '{stem}' > {output}", "single quotes"),
        ("echo `cat {source}` > {output}", "backquotes"),
        ('echo "$(cat {source})" > {output}', "double quotes"),
        ("echo $(cat '{source}') > {output}", "single quotes"),
        ("echo ${X:-{stem}} > {output}", "${…}"),
        ("echo x > {output} # {stem}", "a comment"),
        ("echo x > {output} # don't {stem}", "a comment"),
        ("cat <<E > {output}\n{stem}\nE", "a here-document"),
        ("cat <<'E' > {output}\n{stem}\nE", "a here-document"),
        ("cat <<E > {output}\nit's\nE\necho {stem}", "a here-document"),
        ("echo \\{stem} > {output}", "a backslash's place"),
        ("echo $'a\\'b' {stem} '> {output}", "a line with $'"),
        ('echo "$(case x in x) echo "{stem}";; esac)" > {output}', "a line with `case` within $(…)"),
    ],
)
def test_a_placeholder_that_quoting_would_not_protect_is_refused(line: str, place: str) -> None:
    objections = CommandParameters(command=line, shell=True).check()  # noqa: S604
    assert objections
    assert f"stands in {place}" in objections[0]
    assert CommandParameters(command=("sh", "-c", line)).check() == objections


PIECES = st.lists(
    st.sampled_from(["'", '"', "`", "$(", ")", "${x}", "\\", "#", "\n", " ", "a", "{stem}", ";", "$'", "<<E", "case "]),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=400, suppress_health_check=[HealthCheck.filter_too_much], deadline=None)
@given(PIECES, PIECES)
def test_whatever_is_accepted_runs_nothing_of_a_name(before: list[str], after: list[str]) -> None:
    """The shell itself is the oracle."""
    line = "".join((*before, "{stem}", *after))
    assume(not any(True for _ in misplaced(line)))
    for stem in HOSTILE:
        quoted = line.replace("{stem}", "'" + stem.replace("'", "'\"'\"'") + "'")
        harmful = quoted.replace("touch PWNED", "echo PWNED >&9")
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as told:
            script = f"exec 9>&{writing}; PATH=; {harmful}"
            done = subprocess.run(
                ["sh", "-c", script], capture_output=True, pass_fds=[writing], timeout=20, check=False
            )
            os.close(writing)
            assert told.read() == b"", (line, done.stderr)


def test_a_script_given_to_a_shell_is_quoted_too(shop: Workshop) -> None:
    for words in (("sh", "-c"), ("/bin/sh", "-ec"), ("env", "LC_ALL=C", "sh", "-c")):
        shop.by(("docs/**/*.in", CommandParameters(command=(*words, "echo {stem} > {output}"))))
        for stem in HOSTILE:
            shop.write(f"docs/{stem}.in", "x")
            assert isinstance(shop.outcome(f"docs/{stem}.in"), Rendered)
            assert not (shop.root / "PWNED").exists()


@pytest.mark.parametrize(
    "words", [("python3", "-c"), ("/usr/bin/python3.11", "-c"), ("perl", "-e"), ("ruby", "-e"), ("node", "--eval")]
)
def test_a_placeholder_within_code_of_another_language_is_refused(words: tuple[str, str]) -> None:
    (objection,) = CommandParameters(command=(*words, "print('{stem}')"), stdout=True).check()
    assert "`{stem}` is a part of" in objection
    assert CommandParameters(command=(*words, "print(1)", "{stem}"), stdout=True).check() == []


@pytest.mark.parametrize("words", [("cat", "{stem}"), ("cat", "{stem}.aux"), ("cat", "{deps}{stem}"), "cat {stem}"])
@pytest.mark.parametrize("stem", ["--version", "-n", "@list"])
def test_a_stem_that_would_be_an_option_is_refused(shop: Workshop, words: tuple[str, ...] | str, stem: str) -> None:
    shop.by(("docs/**/*.in", CommandParameters(command=words, shell=isinstance(words, str), stdout=True)))
    shop.write(f"docs/{stem}.in", "x")
    outcome = shop.outcome(f"docs/{stem}.in")
    assert isinstance(outcome, Failed)
    assert "could take its name for an option" in outcome.problem.message


@pytest.mark.parametrize("words", [("printf", "--", "--name={stem}"), "printf -- --name={stem}"])
def test_a_stem_behind_something_may_be_any(shop: Workshop, words: tuple[str, ...] | str) -> None:
    shop.by(("docs/**/*.in", CommandParameters(command=words, shell=isinstance(words, str), stdout=True)))
    shop.write("docs/--version.in", "x")
    assert shop.text("docs/--version.in") == "--name=--version"


@pytest.mark.parametrize("name", ["-n.in", "@a.in", "a=b.in", "msl:x.in", "+x.in", "~x.in", "a\nb.in"])
def test_a_path_is_never_more_than_a_path(shop: Workshop, name: str, tmp_path: Path) -> None:
    shop.by(("**/*.in", CommandParameters(command=("printf", "%s", "{source}"), stdout=True)))
    shop.write(name, "x")
    told = shop.text(name)
    assert told in {f"./{name}", "a\nb.in"}
    assert (tmp_path / told).is_file()
