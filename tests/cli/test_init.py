"""`kahnd init` makes a project that config and renderers accept, with every concept in it once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.helpers import schemas
from kahnd.cli.main import run
from kahnd.config.loader import Config, load
from kahnd.core.model import Dependency, DocumentId, Kind
from kahnd.render.renderers import registry


@pytest.fixture
def made(tmp_path: Path) -> Path:
    assert run(["-C", str(tmp_path), "init", "made"]) == 0
    return tmp_path / "made"


@pytest.fixture
def config(made: Path) -> Config:
    return load(made, schemas(), {})


def _documents(config: Config) -> Iterator[DocumentId]:
    for source in config.layout.sources:
        for path in sorted((config.root / source).rglob("*")):
            if path.is_file():
                yield DocumentId(path.relative_to(config.root).as_posix())


def _found(config: Config) -> dict[DocumentId, tuple[Dependency, ...]]:
    renderers = registry.create(config.root, config.layout)
    rules = {document: config.layout.scanned_as(document) for document in _documents(config)}
    return {
        document: renderers[rule.renderer]
        .scan(document, (config.root / document).read_bytes(), rule.parameters)
        .dependencies
        for document, rule in rules.items()
        if rule is not None
    }


def test_its_configuration_is_right_and_nothing_is_missing(config: Config) -> None:
    assert config.missing_sources() == ()
    assert {"page", "command"} <= {rule.renderer for rule in config.layout.rules}


def test_every_document_is_rendered_or_used(config: Config) -> None:
    used = {edge.target for edges in _found(config).values() for edge in edges}
    assert {each for each in _documents(config) if config.layout.rule_of(each) is None} <= used


def test_every_way_to_depend_is_in_it(config: Config) -> None:
    kinds = {edge.kind for edges in _found(config).values() for edge in edges}
    assert kinds >= {Kind.INCLUDE, Kind.TEMPLATE, Kind.DATA, Kind.PAGE, Kind.OUTPUT, Kind.COLLECTION, Kind.DECLARED}


def test_what_is_depended_on_is_there(config: Config) -> None:
    targets = {edge.target for edges in _found(config).values() for edge in edges if edge.kind is not Kind.COLLECTION}
    assert all((config.root / target).is_file() for target in targets)


def test_its_commands_programs_are_everywhere(config: Config) -> None:
    commands = [rule.parameters for rule in config.layout.rules if rule.renderer == "command"]
    assert all(shutil.which(each.command[0], path=os.defpath) for each in commands)  # type: ignore[attr-defined]


def test_it_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["-C", str(tmp_path), "init", "made"])
    said = capsys.readouterr().out
    assert "cd made" in said
    assert "kahnd run" in said
    assert "open made/site/index.html" in said
    assert "Ctrl-C" in said


@pytest.mark.parametrize(("kind", "word"), [("site", "Press / "), ("book", "chapters"), ("report", "PDF")])
def test_a_starter_with_the_theme_says_what_is_special(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, word: str
) -> None:
    assert run(["-C", str(tmp_path), "init", f"--{kind}"]) == 0
    assert word in capsys.readouterr().out
    assert load(tmp_path, schemas(), {}).missing_sources() == ()


def test_without_a_folder_it_is_made_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(tmp_path), "init"]) == 0
    assert (tmp_path / "kahnd.toml").is_file()
    assert "cd " not in capsys.readouterr().out


def test_a_project_is_refused_and_left_alone(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made / "kahnd.toml").write_text("# mine")
    assert run(["-C", str(made), "init"]) == 2
    assert (made / "kahnd.toml").read_text() == "# mine"
    assert "is a project already" in capsys.readouterr().err


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("mine")
    assert run(["-C", str(tmp_path), "init"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["docs"]
    assert "docs/index.md" in capsys.readouterr().err


@pytest.mark.parametrize("link", ["docs", "kahnd.toml"])
def test_it_follows_no_link_to_elsewhere(tmp_path: Path, link: str) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / link).symlink_to(tmp_path / "elsewhere")
    if link == "docs":
        (tmp_path / "elsewhere").mkdir()
    assert run(["-C", str(tmp_path), "init", "made"]) == 2
    assert [each.name for each in (tmp_path / "made").iterdir()] == [link]
    assert list((tmp_path / "elsewhere").iterdir() if link == "docs" else tmp_path.glob("elsewhere")) == []


def test_a_recipe_tells_which_programs_it_runs_and_which_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "sassc"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert run(["-C", str(tmp_path), "init", "--recipe", "styles", "made"]) == 0
    assert "It runs sassc, esbuild. Install esbuild first." in capsys.readouterr().out
