"""State folders and configurations from a stranger's clone or a damaged disk never cost anybody a file.

Whatever is in `.kahnd/` and whatever `kahnd.toml` asks for, every file that kahnd did not make stays byte for byte the
same, in the project and outside, and nothing but a KahndError is raised.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, Phase, event, example, given, settings
from hypothesis import strategies as st

from kahnd.app import cleaning
from kahnd.app.doctor import checkup
from kahnd.app.one_shot import OneShot
from kahnd.core.hashing import hash_bytes
from kahnd.errors import KahndError

PRECIOUS = "precious\n"
FILES = (
    *("docs/a.md", "docs/deep/b.md", "src/main.py", "README.md", ".git/HEAD", ".git/hooks/hook", "empty"),
    *("site/CNAME", "site/a.html.bak", "public/index.html", "state/db.old/p", "state/db.new/p", "state/notes"),
)
OUTSIDE = ("file", "folder/file", "folder/1", "folder/LOCK", "folder/sstables/00000000000000000001.sst")
OUTPUTS = ("site/a.html", "site/deep/b.html", "public/a.html", "public/deep/b.html")
OWN = (
    *(
        "lock",
        "outputs",
        "outputs.new",
        "outputs.1a2b3c4d.new",
        "control.sock",
        "log",
        "log/kahnd.jsonl",
        "log/kahnd.jsonl.1",
        "cookies",
    ),
    *("cookies/1", "stage", "stage/1", "db", "db/LOCK", "db/wal", "db/sstables", "db/kahnd", "db.new", "db.old"),
    *("db.unusable-20200101T000000.000000Z", "notes"),
)
DATABASE = ".kahnd/db/"
KINDS = ("link to file", "link to folder", "link to sources", "dangling link", "pipe", "file", "folder", "hard link")
URLS = ("", ".kahnd/db", ".kahnd", ".", "docs", "src", "state", "state/db", "../outside/folder", "site", ".git", "link")
LOGS = ("", "docs/a.md", "../outside/file", "README.md", ".git/HEAD", "site/CNAME", "log.jsonl", "link/log")
COMMANDS: dict[str, Callable[[Path], object]] = {
    "build": lambda root: OneShot(root).build((), force=False, progress=lambda _: None),
    "status": lambda root: OneShot(root).status(),
    "plan": lambda root: OneShot(root).plan(),
    "doctor": checkup,
    "clean": lambda root: cleaning.clean(root, state=False, dry_run=False),
    "clean --state": lambda root: cleaning.clean(root, state=True, dry_run=False),
    "clean --state --dry-run": lambda root: cleaning.clean(root, state=True, dry_run=True),
}
"""Commands, run in this process, since a process takes longer to start than to run."""


@dataclass(frozen=True)
class Hostile:
    """A hostile project."""

    is_built: bool
    journal: list[bytes]
    things: dict[str, str]
    replaced: dict[str, str]
    """Things in the place of outputs."""
    state: str
    output: str
    sources: list[str]
    url: str
    log: str
    commands: list[str]


def lines() -> st.SearchStrategy[bytes]:
    """Draws journal lines about files of all kinds, with right hashes for files that are no outputs, or any bytes."""
    odd = ("hard", "site/hard", "kahnd.toml", ".kahnd/lock", "../outside/file", "site", "docs", "link/file")
    names = st.sampled_from((*FILES, *OUTPUTS, *odd))

    def line(name: str, *, right: bool, size: int) -> bytes:
        known = PRECIOUS if right and not name.startswith(("site/", "public/")) else "other"
        return msgspec.json.encode([name, [hash_bytes(known.encode()), size, 1, 1]])

    return st.builds(line, names, right=st.booleans(), size=st.sampled_from((len(PRECIOUS), 1))) | st.binary(
        max_size=40
    )


def mostly(usual: str, others: Sequence[str]) -> st.SearchStrategy[str]:
    """Draws mostly the usual value, since a single wrong one ends most commands at once."""
    return st.integers(0, 5).flatmap(lambda number: st.just(usual) if number else st.sampled_from(others))


HOSTILE = st.builds(
    Hostile,
    is_built=st.booleans(),
    journal=st.lists(lines(), max_size=8),
    things=st.dictionaries(st.sampled_from(OWN), st.sampled_from(KINDS), max_size=2),
    replaced=st.dictionaries(st.sampled_from(OUTPUTS), st.sampled_from(KINDS), max_size=2),
    state=mostly("folder", ("link to folder", "link to sources", "pipe", "file")),
    output=mostly("site", ("public", ".git", "../outside", "link", "link/x", "docs/out", "src")),
    sources=st.sampled_from((["docs"], ["docs"], ["docs", "public"], ["."])),
    url=mostly("", URLS),
    log=mostly("", LOGS),
    commands=st.lists(st.sampled_from(sorted(COMMANDS)), min_size=2, max_size=4).map(lambda some: ["build", *some]),
)


def configuration(hostile: Hostile) -> str:
    sources = msgspec.json.encode(hostile.sources).decode()
    store = f'[store]\nurl = "surrealkv://{hostile.url}"\n' if hostile.url else ""
    log = f'[log]\nfile = "{hostile.log}"\n' if hostile.log else ""
    return (
        f'[project]\nsources = {sources}\noutput = "{hostile.output}"\n{store}{log}'
        '[[rules]]\nmatch = "docs/**/*.md"\nrenderer = "copy"\noutput = "{dir}/{stem}.html"\n'
    )


def prepare(root: Path, hostile: Hostile) -> None:
    for name in FILES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PRECIOUS)
    for name in OUTSIDE:
        (root.parent / "outside" / name).parent.mkdir(parents=True, exist_ok=True)
        (root.parent / "outside" / name).write_text(PRECIOUS)
    (root / "link").symlink_to(root.parent / "outside/folder")
    for name in ("hard", "site/hard"):
        (root / name).hardlink_to(root.parent / "outside/file")
    (root / "kahnd.toml").write_text(configuration(replace(hostile, output="site", sources=["docs"], url="", log="")))
    if hostile.is_built:
        COMMANDS["build"](root)
    (root / "kahnd.toml").write_text(configuration(hostile))
    for name, kind in hostile.replaced.items():
        put(root / name, kind, root)
    if hostile.state != "folder":
        shutil.rmtree(root / ".kahnd", ignore_errors=True)
        put(root / ".kahnd", hostile.state, root)
        return
    (root / ".kahnd").mkdir(exist_ok=True)
    if hostile.journal:
        with (root / ".kahnd/outputs").open("ab") as journal:
            journal.writelines(each + b"\n" for each in hostile.journal)
    for name, kind in hostile.things.items():
        put(root / ".kahnd" / name, kind, root)


def put(path: Path, kind: str, root: Path) -> None:
    """Puts something else in the place of one of kahnd's own files."""
    if path.parent.is_symlink() or not path.parent.resolve().is_relative_to(root):
        return
    if path.parent.exists() and not path.parent.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    targets = {"link to file": "file", "link to folder": "folder", "dangling link": "new"}
    if kind in targets:
        path.symlink_to(root.parent / "outside" / targets[kind])
    elif kind == "link to sources":
        path.symlink_to(root / "docs")
    elif kind == "hard link":
        path.hardlink_to(root.parent / "outside/file")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "file":
        path.write_text(PRECIOUS)
    else:
        path.mkdir()
        for name in ("file", "1.txt"):
            (path / name).write_text(PRECIOUS)


def everything(top: Path) -> dict[str, bytes | str]:
    """Returns everything there, links not followed: files' bytes, links' targets, and other types."""
    found: dict[str, bytes | str] = {}
    for folder, folders, names in os.walk(top):
        for name in (*folders, *names):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                found[str(path.relative_to(top))] = f"-> {path.readlink()}"
            elif stat.S_ISREG(mode):
                found[str(path.relative_to(top))] = path.read_bytes()
            elif not stat.S_ISDIR(mode):
                found[str(path.relative_to(top))] = oct(stat.S_IFMT(mode))
    return found


def is_kahnds(path: str, content: bytes | str) -> bool:
    """Returns whether kahnd may write this: its outputs, its stages, and its own files in `.kahnd/`."""
    name = path.removeprefix("project/")
    return (
        (name in OUTPUTS and isinstance(content, bytes))
        or name in {".kahnd/lock", ".kahnd/outputs", ".kahnd/stage/1"}
        or name.startswith(".kahnd/stage/1/")
        or (name.startswith(".kahnd/") and isinstance(content, bytes) and content != PRECIOUS.encode())
        or (name.startswith(".kahnd/db/") and name.rpartition("/")[2] in {"LOCK", "kahnd"})
    )


def still_there(after: dict[str, bytes | str], path: str) -> bytes | str | None:
    """Returns what was at that path: it may have been moved aside with an unusable database, whole."""
    top, database, name = path.partition(DATABASE)
    aside = [
        each
        for each in after
        if database and re.fullmatch(rf"{re.escape(top)}\.kahnd/db\.unusable-[^/]+/{re.escape(name)}", each)
    ]
    return after.get(path, after.get(aside[0]) if aside else None)


@settings(
    max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
@given(HOSTILE)
@example(
    Hostile(
        is_built=True,
        journal=[],
        things={"db/sstables": "file"},
        replaced={},
        state="folder",
        output="site",
        sources=["docs"],
        url="",
        log="",
        commands=["build", "clean", "plan", "build"],
    )
)
def test_hostile_state_and_configuration_never_lose_a_file(hostile: Hostile) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "project").resolve()
        root.mkdir()
        prepare(root, hostile)
        before = everything(Path(place))
        for word in hostile.commands:
            try:
                COMMANDS[word](root)
            except KahndError as error:
                event(f"{word} refused")
                assert all(each.message and (each.remedy or each.line) for each in error.problems)  # noqa: PT017
            else:
                event(f"{word} ran")
        after = everything(Path(place))
        kept = {path: content for path, content in before.items() if not is_kahnds(path, content)}
        assert {path: still_there(after, path) for path in kept} == kept
        assert not {path for path in after.keys() - before.keys() if path.startswith("outside/")}
