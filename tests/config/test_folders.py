"""Folders and files that kahnd.toml names: kahnd's state has a place of its own, in the project."""

from __future__ import annotations

import pytest

from config.helpers import Loader
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
    ],
)
def test_an_embedded_database_has_a_folder_of_its_own_in_the_project(loaded: Loader, path: str) -> None:
    found = problem(loaded, f'{PROJECT}[store]\nurl = "surrealkv://{path}"\n')
    assert (found.file, found.line) == ("kahnd.toml", 5)
    assert "surrealkv://.kahnd/db" in found.remedy
    assert problem(loaded, PROJECT, KAHND_STORE__URL=f"surrealkv://{path}").message.startswith("KAHND_STORE__URL")


@pytest.mark.parametrize("path", [".kahnd/db", ".kahnd/other?sync=every", "state/db", "sites/db", "docs.db"])
def test_other_folders_will_do(loaded: Loader, path: str) -> None:
    assert loaded(f'{PROJECT}[store]\nurl = "surrealkv://{path}"\n').store.url == f"surrealkv://{path}"


def test_where_all_of_the_project_is_a_source_the_database_is_in_the_state_folder(loaded: Loader) -> None:
    everything = '[project]\nsources = ["."]\noutput = "site"\n'
    assert loaded(everything).store.url == "surrealkv://.kahnd/db"
    assert "source" in problem(loaded, f'{everything}[store]\nurl = "surrealkv://state/db"\n').message


@pytest.mark.parametrize(
    "file",
    [
        *("../log", "/var/log/kahnd.jsonl", ".", "docs", "site", "kahnd.toml", "docs/../kahnd.toml", ".git/config"),
        *(".kahnd", ".kahnd/outputs", ".kahnd/lock", ".kahnd/db/log", ".kahnd/stage/1"),
    ],
)
def test_the_log_is_a_file_of_its_own_in_the_project(loaded: Loader, file: str) -> None:
    found = problem(loaded, f'{PROJECT}[log]\nfile = "{file}"\n')
    assert (found.file, found.line) == ("kahnd.toml", 5)
    assert file in found.message


def test_outputs_are_not_put_into_git_s_own_folder(loaded: Loader) -> None:
    assert "Git" in problem(loaded, '[project]\nsources = ["docs"]\noutput = ".git/hooks"\n').message
