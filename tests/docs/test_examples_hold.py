"""The examples of the documentation: commands print what is shown, files load, code parses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.looking import LANGUAGES
from docs.reading import PAGES, REPOSITORY, Call, Code, Deed, steps, without_steps
from docs.session import Session, copied

README = REPOSITORY / "README.md"
INSTEAD = {
    "make run": "kahnd -C examples/handbook run",
    "make test": ":",
    "source .venv/bin/activate": ":",
    "kahnd logs -f": "kahnd logs",
}
"""Commands that a reader leaves running, or has run already."""
NOT_HERE = ("make ", "python benchmarks/", "cd tests &&", "systemctl ", "journalctl ", "loginctl ", "kahnd service ")
"""Commands that would change the machine, or take hours."""


def _title(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def _pages(*kinds: type) -> list[Path]:
    return [path for path in PAGES if any(isinstance(step, kinds) for step in steps(path.read_text()))]


def _is_session(path: Path) -> bool:
    return any(isinstance(step, Code) and step.language == "console" for step in steps(path.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in PAGES if _is_session(path)], ids=_title)
def test_what_a_page_tells_to_do_does_what_it_shows(path: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if path == README:
        copied(REPOSITORY / "examples", home / "examples")
    with Session(home, INSTEAD) as session:
        for step in steps(path.read_text()):
            if isinstance(step, Deed):
                session.do(step)
            elif step.language == "console":
                _run(session, list(step.calls()))
            elif step.name:
                session.save(step)


def _run(session: Session, calls: list[Call]) -> None:
    for call, after in zip(calls, [*calls[1:], None], strict=True):
        if call.bare in INSTEAD or not call.bare.startswith(NOT_HERE):
            session.call(call, told=after is not None and "$?" in after.command)


@pytest.mark.parametrize("path", _pages(Code), ids=_title)
def test_code_is_of_the_language_that_it_is_said_to_be(path: Path, tmp_path: Path) -> None:
    for step in steps(path.read_text()):
        if isinstance(step, Code) and step.language != "console":
            try:
                LANGUAGES[step.language](step.text, tmp_path)
            except Exception as error:
                error.add_note(f"{_title(path)}:{step.line}")
                raise


@pytest.mark.parametrize("path", PAGES, ids=_title)
def test_no_block_escapes_the_tests(path: Path) -> None:
    """Every fence is one that is read as a step: none is indented, tilded or without a language."""
    text = path.read_text()
    assert not re.search(r"^\s*(?:```|~~~)", without_steps(text), re.MULTILINE)
    assert [step.line for step in steps(text) if isinstance(step, Code) and not step.language] == []


@pytest.mark.parametrize("path", [path for path in PAGES if _is_session(path)], ids=_title)
def test_a_file_to_be_saved_is_named_in_the_text_before_it(path: Path) -> None:
    """Its name in the block's first line is for the tests alone: no reader sees it."""
    lines = path.read_text().splitlines()
    for step in steps(path.read_text()):
        if isinstance(step, Code) and step.name:
            before = "\n".join(lines[: step.line - 1]).rpartition("\n```\n")[2]
            assert f"`{step.name.removeprefix('+')}`" in before, f"{_title(path)}:{step.line}"


def test_make_knows_what_the_readme_asks_of_it() -> None:
    targets = set(re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = {word for path in PAGES for word in re.findall(r"^\$ make (\w+)", path.read_text(), re.MULTILINE)}
    assert named >= {"run", "test"}
    assert named <= targets
