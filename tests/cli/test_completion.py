"""Completion, asked as shells ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KAHND = Path(sys.executable).with_name("kahnd")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in ("docs/posts/one.md", "docs/posts/two.md", "docs/about.md", "data/a.csv", "site/about.html"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    for name in ("node_modules/x.js", ".kahnd/outputs", "docs/.hidden.md", "docs-of-others/x.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "kahnd.toml").write_text('[project]\nsources = ["docs", "data"]\n')
    return root


def offered(root: Path, *words: str) -> list[str]:
    """What bash is offered for the last of the words."""
    line = ["kahnd", *words]
    env = {
        **os.environ,
        "_KAHND_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": f"{len(words)}",
    }
    ended = subprocess.run([KAHND], cwd=root, env=env, capture_output=True, text=True, check=True, timeout=30)
    return [entry.removeprefix("plain,") for entry in ended.stdout.splitlines() if entry]


def test_commands_and_options_are_offered(root: Path) -> None:
    assert {"build", "status", "doctor", "clean"} <= set(offered(root, ""))
    assert offered(root, "st") == ["status"]
    assert "--force" in offered(root, "build", "--f")


@pytest.mark.parametrize("command", ["build", "plan", "retry", "wait", "why", "graph", "history", "logs --doc"])
def test_documents_are_offered_wherever_one_is_wanted(root: Path, command: str) -> None:
    assert offered(root, *command.split(), "docs/p") == ["docs/posts/one.md", "docs/posts/two.md"]


def test_what_is_no_document_and_no_output_is_not_offered(root: Path) -> None:
    assert offered(root, "build", "") == ["data/", "docs/", "site/"]
    assert offered(root, "build", "docs/") == ["docs/about.md", "docs/posts/"]
    assert offered(root, "build", "site/") == ["site/about.html"]


def test_paths_are_of_the_current_folder_or_else_of_the_project(root: Path) -> None:
    assert offered(root / "docs", "why", "a") == ["about.md"]
    assert offered(root / "docs", "why", "data/") == ["data/a.csv"]
    assert offered(root, "-C", "docs", "why", "ab") == ["about.md"]


def test_a_broken_configuration_or_none_is_no_error(root: Path, tmp_path: Path) -> None:
    (root / "kahnd.toml").write_text("[project")
    assert offered(root, "build", "docs/ab") == ["docs/about.md"]
    assert offered(tmp_path, "build", "") == []


def test_bash_completes_with_what_is_printed(root: Path) -> None:
    """The script in a real bash: the function that it defines, called as bash calls it."""
    script = subprocess.run([KAHND, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    ask = 'COMP_WORDS=(kahnd why docs/posts/o); COMP_CWORD=2; _kahnd_completion kahnd; printf "%s\\n" "${COMPREPLY[@]}"'
    env = {**os.environ, "PATH": f"{KAHND.parent}:{os.environ['PATH']}"}
    ended = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{ask}"], cwd=root, env=env, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == ["docs/posts/one.md"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell: str) -> None:
    told = subprocess.run([KAHND, "completion", shell], capture_output=True, text=True, check=True).stdout
    assert f"_KAHND_COMPLETE={shell}_complete" in told
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=told, text=True, check=True)
