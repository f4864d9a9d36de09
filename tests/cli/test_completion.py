"""Completion, asked as shells ask for it."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

KAHND = Path(sys.executable).with_name("kahnd")
SOON_S = 120.0
"""Far longer than anything here takes."""


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
    """Returns the completions that bash gets for the last word."""
    line = ["kahnd", *words]
    env = {
        **os.environ,
        "_KAHND_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": f"{len(words)}",
    }
    ended = subprocess.run([KAHND], cwd=root, env=env, capture_output=True, text=True, check=True, timeout=120)
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


ODD = (
    "ev$(touch PWNED).md",
    "tick`touch PWNED`.md",
    "semi;touch PWNED;.md",
    "quote'; touch PWNED; '.md",
    'double"; touch PWNED; ".md',
    "amp&touch PWNED&.md",
    "pipe|touch PWNED|.md",
    "back\\slash.md",
    "star*.md",
    "space and, comma.md",
    "hash #x.md",
    "$HOME.md",
)


class Shell:
    """An interactive shell on a terminal, in which `kahnd` is a script that prints its last argument."""

    def __init__(self, shell: str, root: Path, tools: Path) -> None:
        tools.mkdir(exist_ok=True)
        script = subprocess.run([KAHND, "completion", shell], capture_output=True, text=True, check=True).stdout
        (tools / "script").write_text(script)
        stub = [
            "#!/bin/sh",
            f'[ -n "$_KAHND_COMPLETE" ] && exec {KAHND}',
            "for each; do :; done",
            f'printf "<%s>" "$each" > {tools}/got',
        ]
        (tools / "kahnd").write_text("\n".join(stub))
        (tools / "kahnd").chmod(0o755)
        self._tools = tools
        self._pid, self._terminal = pty.fork()
        if not self._pid:
            os.chdir(root)
            env = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tools), "TERM": "dumb", "PS1": "READY> "}
            os.execvpe(_SHELLS[shell][0], _SHELLS[shell], env)  # noqa: S606 - it is the shell itself
        self._read = b""
        self.say(_SETUP[shell].format(tools / "script") + "\n")
        self.until(b"SET UP")

    def say(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def until(self, text: bytes, seconds: float = SOON_S) -> None:
        """Read until the terminal shows this."""
        deadline = time.monotonic() + seconds
        while text not in self._read:
            assert time.monotonic() < deadline, self._read
            if select.select([self._terminal], [], [], 0.05)[0]:
                self._read += os.read(self._terminal, 4096)
        self._read = self._read.partition(text)[2]

    def completed(self, typed: str) -> str:
        """The last argument of the command that TAB makes of what was typed."""
        got = self._tools / "got"
        got.unlink(missing_ok=True)
        self.say(f"kahnd why {typed}\t\n")
        deadline = time.monotonic() + SOON_S
        while not (got.exists() and got.read_text().endswith(">")):
            assert time.monotonic() < deadline, self._read
            if select.select([self._terminal], [], [], 0.05)[0]:
                self._read += os.read(self._terminal, 4096)
        return got.read_text()[1:-1]

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


_SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
_SETUP = {
    "bash": "source {0}; echo SET' 'UP",
    "zsh": "autoload -Uz compinit; compinit -u -D; source {0}; print SET' 'UP",
    "fish": "source {0}; echo SET' 'UP",
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_name_is_put_into_the_line_as_one_word_that_does_nothing(root: Path, tmp_path: Path, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    for name in ODD:
        (root / "docs" / name).touch()
    there = Shell(shell, root, tmp_path / "tools")
    try:
        for name in ODD:
            begun = re.match(r"\w*", name)[0] or "\\$H"  # type: ignore[index]
            assert there.completed(f"docs/{begun}") == f"docs/{name}"
        if shell == "bash":
            assert there.completed("'docs/quot") == f"docs/{ODD[3]}"
            assert there.completed('"docs/ev') == f"docs/{ODD[0]}"
    finally:
        there.close()
    assert not list(tmp_path.rglob("PWNED"))


def test_a_name_that_looks_like_an_option_is_offered_as_a_path(root: Path) -> None:
    for name in ("--force", "~root", "line\nbreak.md"):
        (root / "docs" / name).touch()
    assert {"./--force", "./~root"} <= set(offered(root / "docs", "build", ""))
    assert not any("line" in each for each in offered(root, "build", "docs/"))
