"""Folders and files that kahnd.toml names: kahnd's own are in the project, and used for nothing else."""

from __future__ import annotations

import pytest

from config.helpers import Loader
from kahnd.config.folder_checks import path_inside
from kahnd.core.model import Problem
from kahnd.errors import ConfigError

PROJECT = '[project]\nsources = ["docs", "src/pages"]\noutput = "site"\n'


def problem(loaded: Loader, text: str, **environ: str) -> Problem:
    with pytest.raises(ConfigError) as raised:
        loaded(text, **environ)
    (found,) = raised.value.problems
    return found


@pytest.mark.parametrize(
    "path",
    [
        *(".", "./", "docs", "docs/db", "src", "src/pages/db", "site", "site/db", "docs/../site"),
        *("..", "../precious", "/var/lib/db", "a/../../b", ".kahnd", ".kahnd/stage", ".kahnd/outputs", ".kahnd/log/db"),
        *(".git", ".git/db", "kahnd.toml", "docs?sync=every"),
        *("other/.kahnd/db", "a/b/.git/db"),
    ],
)
def test_an_embedded_database_has_a_folder_of_its_own_in_the_project(loaded: Loader, path: str) -> None:
    found = problem(loaded, f'{PROJECT}[store]\nurl = "surrealkv://{path}"\n')
    assert (found.file, found.line) == ("kahnd.toml", 5)
    assert "surrealkv://.kahnd/db" in found.remedy
    assert problem(loaded, PROJECT, KAHND_STORE__URL=f"surrealkv://{path}").message.startswith("KAHND_STORE__URL")


@pytest.mark.parametrize("path", [".kahnd/db", ".kahnd/other?sync=every", "state/db", "sites/db", "docs.db"])
def test_other_folders_are_accepted(loaded: Loader, path: str) -> None:
    assert loaded(f'{PROJECT}[store]\nurl = "surrealkv://{path}"\n').store.url == f"surrealkv://{path}"


def test_if_all_of_the_project_is_a_source_the_database_must_be_in_the_state_folder(loaded: Loader) -> None:
    everything = '[project]\nsources = ["."]\noutput = "site"\n'
    assert loaded(everything).store.url == "surrealkv://.kahnd/db"
    assert "source" in problem(loaded, f'{everything}[store]\nurl = "surrealkv://state/db"\n').message


@pytest.mark.parametrize(
    "file",
    [
        *("../log", "/var/log/kahnd.jsonl", ".", "docs", "site", "kahnd.toml", "docs/../kahnd.toml", ".git/config"),
        *(".kahnd", ".kahnd/outputs", ".kahnd/lock", ".kahnd/db/log", ".kahnd/stage/1"),
        *("other/.kahnd/log/kahnd.jsonl", "a/.git/config"),
    ],
)
def test_the_log_is_a_file_of_its_own_in_the_project(loaded: Loader, file: str) -> None:
    found = problem(loaded, f'{PROJECT}[log]\nfile = "{file}"\n')
    assert (found.file, found.line) == ("kahnd.toml", 5)
    assert file in found.message


def test_the_output_folder_is_not_gits_own(loaded: Loader) -> None:
    assert "Git" in problem(loaded, '[project]\nsources = ["docs"]\noutput = ".git/hooks"\n').message


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("docs", "docs"),
        ("./docs//api/", "docs/api"),
        ("a/../b", "b"),
        (".", "."),
        ("..", None),
        ("a/../../b", None),
        ("/etc", None),
        ("..docs", "..docs"),
        ("a\0b", None),
    ],
)
def test_paths_stay_in_the_project(folder: str, path: str | None) -> None:
    assert path_inside(folder) == path


@pytest.mark.parametrize("folder", ["other/.kahnd/db", "other/.kahnd", "a/b/.git/hooks"])
def test_the_output_folder_is_not_another_projects_state(loaded: Loader, folder: str) -> None:
    found = problem(loaded, PROJECT.replace("site", folder))
    assert (found.line, found.message) == (3, f'output "{folder}" is in the state of another project')
