from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kahnd.core.rules import Layout
from kahnd.watch.ignore import IgnoreRules, is_never_document
from watch.harness import by_document, tree_over, write

EDITORS_NAMES = [
    *("a.md~", ".#a.md", "#a.md#", "4913", "a.md___jb_tmp___", "a.md___jb_old___", ".goutputstream-AB12CD"),
    *("~$a.docx", "~$a.md", "~WRL0001.tmp", ".a.md.kate-swp", "._a.md"),
    *("sedXXXXXX", "sedk3Jf9a", ".a.md.swp", ".a.md.swo", ".a.md.swx", ".~lock.a.odt#", ".DS_Store"),
]


@pytest.mark.parametrize("name", [*EDITORS_NAMES, ".git", ".hg", ".svn", ".kahnd", "caf\udce9.md"])
def test_names_that_are_never_documents(name: str) -> None:
    assert is_never_document(name)


@pytest.mark.parametrize(
    "name", ["a.md", "sediments", "sed.md", "tilde~.md", "~a.md", "$a.md", "#1.md", ".hidden", "a\nb.md", "é.md", "swp"]
)
def test_names_that_are_documents(name: str) -> None:
    assert not is_never_document(name)


async def documents(root: Path, *sources: str, ignore: tuple[str, ...] = (), output: str = "site") -> set[str]:
    return set(by_document(await tree_over(root, *sources, ignore=ignore, output=output).crawl()))


async def test_editors_files_and_version_control_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, {f"docs/{name}": "x" for name in EDITORS_NAMES})
    write(tmp_path, {"docs/.git/config": "x", "docs/.kahnd/db": "x", "docs/a.md": "x"})
    assert await documents(tmp_path) == {"docs/a.md"}


async def test_the_project_itself_as_source_leaves_out_config_output_and_state(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"kahnd.toml": "", ".gitignore": "", "site/a.html": "", ".kahnd/x": "", "a.md": "", "sub/kahnd.toml": ""},
    )
    assert await documents(tmp_path, ".") == {"a.md", "sub/kahnd.toml"}


async def test_config_patterns_are_relative_to_the_project_and_precede_gitignore(tmp_path: Path) -> None:
    write(
        tmp_path,
        {".gitignore": "*.log\n", "docs/keep.log": "", "docs/a.log": "", "docs/drafts/a.md": "", "docs/a.md": ""},
    )
    found = await documents(tmp_path, ignore=("docs/drafts/**", "!keep.log"))
    assert found == {"docs/keep.log", "docs/a.md"}


async def test_a_source_is_never_ignored_itself(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "build/\n", "build/docs/a.md": "", "docs/build/b.md": "", "docs/c.md": ""})
    assert await documents(tmp_path, "build/docs", "docs") == {"build/docs/a.md", "docs/c.md"}
    assert await documents(tmp_path, "docs", "docs/build") == {"docs/build/b.md", "docs/c.md"}


NAMES = st.sampled_from(["a", "b", "c.md", "d.log", "a b"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PATTERNS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "!"]),
        st.sampled_from(["", "", "/", "**/"]),
        st.sampled_from(
            [
                "a",
                "b",
                "*",
                "*.md",
                "c.*",
                "*a*b*",
                "**/*/**/*",
                "a/*/**/b",
                "a/b",
                "a/*",
                "*/b",
                "a/**",
                "a/**/b",
                "[ab]",
                "?",
                "d.log",
                "a b",
            ]
        ),
        st.sampled_from(["", "", "/", "/**"]),
    ),
).filter(lambda pattern: not pattern.endswith("**/"))  # `a/**/` is `a/` to pathspec, but not to git
LINES = st.lists(PATTERNS, max_size=3)
FILES = st.lists(PATHS, min_size=1, max_size=12)
GITIGNORES = st.dictionaries(st.sampled_from(["", "a", "b", "a/b", "b/a"]), st.lists(PATTERNS, max_size=4), max_size=3)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, gitignores=GITIGNORES)
def test_gitignore_is_interpreted_as_git_does(
    tmp_path_factory: pytest.TempPathFactory, files: list[str], gitignores: dict[str, list[str]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    make_tree(root, files, gitignores)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    by_git = {path for path in listed.stdout.split("\0") if path and not path.endswith(".gitignore")}
    ignore = IgnoreRules(str(root), Layout((".",), "site"), ())
    paths = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    ours = {path for path in paths if not ignore.excludes(path) and not ignore.ignores(path, folder=False)}
    assert ours == by_git


def make_tree(root: Path, files: list[str], gitignores: dict[str, list[str]]) -> None:
    for file in files:
        path = root / file
        if not path.exists() and not any(above.is_file() for above in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
    for folder, lines in gitignores.items():
        if (root / folder).is_dir():
            (root / folder / ".gitignore").write_text("\n".join(lines) + "\n")


def test_a_hundred_thousand_paths_are_decided_in_seconds(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "\n".join(f"*.x{number}" for number in range(20))})
    ignore = IgnoreRules(str(tmp_path), Layout(("docs",), "site"), ())
    start = time.process_time()
    ignored = sum(
        ignore.folder_rules(f"docs/{folder}").ignores(f"{number}.x{number % 40}", folder=False)
        for folder in range(1000)
        for number in range(100)
    )
    assert ignored == 60_000
    assert time.process_time() - start < 10


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=folder, check=True)


def repository(folder: Path) -> None:
    git(folder, "init", "-q")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, outer=LINES, inner=LINES, exclude=LINES)
def test_outer_ignore_files_are_interpreted_as_git_does(
    tmp_path_factory: pytest.TempPathFactory, files: list[str], outer: list[str], inner: list[str], exclude: list[str]
) -> None:
    top = tmp_path_factory.mktemp("tree")
    repository(top)
    root = top / "some/project"
    make_tree(root, [f"docs/{file}" for file in files], {"": inner})
    (top / ".gitignore").write_text("\n".join(outer) + "\n")
    (top / ".git/info/exclude").write_text("\n".join(exclude) + "\n")
    paths = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.name != ".gitignore"]
    asked = "\0".join(f"some/project/{path}" for path in paths)
    command = ["git", "check-ignore", "-z", "--stdin", "--no-index"]
    reported = subprocess.run(command, cwd=top, input=asked, capture_output=True, text=True, check=False)
    ignored = {path.removeprefix("some/project/") for path in reported.stdout.split("\0") if path}
    above = subprocess.run([*command[:2], "-q", "some/project/docs"], cwd=top, check=False).returncode == 0
    ignore = IgnoreRules(str(root), Layout(("docs",), "site"), ())
    ours = {path for path in paths if ignore.excludes(path) or ignore.ignores(path, folder=False)}
    if not above:  # a source that is itself ignored is looked into all the same
        assert ours == ignored


async def test_only_the_nearest_repository_counts(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "a.md\n", "in/.gitignore": "b.md\n"})
    write(tmp_path, {f"in/project/docs/{name}.md": "" for name in "abc"})
    assert await documents(tmp_path / "in/project") == {"docs/a.md", "docs/b.md", "docs/c.md"}
    repository(tmp_path / "in")
    assert await documents(tmp_path / "in/project") == {"docs/a.md", "docs/c.md"}
    repository(tmp_path)
    assert await documents(tmp_path / "in/project") == {"docs/a.md", "docs/c.md"}


async def test_a_worktree_uses_the_exclude_file_of_its_repository(tmp_path: Path) -> None:
    write(tmp_path, {"main/a.txt": ""})
    repository(tmp_path / "main")
    for words in (["add", "."], ["commit", "-qm", "a"], ["worktree", "add", "-q", "../tree"]):
        git(tmp_path / "main", *words)
    write(tmp_path, {"main/.git/info/exclude": "b.md\n", "tree/docs/a.md": "", "tree/docs/b.md": ""})
    assert await documents(tmp_path / "tree") == {"docs/a.md"}


async def test_a_pattern_with_many_stars_is_fast(tmp_path: Path) -> None:
    write(tmp_path, {"docs/.gitignore": "**/*/" * 8 + "b.md\n" + "*a" * 30 + "b\n", "docs/" + "a/" * 45 + "c.md": ""})
    write(tmp_path, {"docs/" + "a" * 200: ""})
    began = time.process_time()
    assert len(await documents(tmp_path)) == 2
    assert time.process_time() - began < 10


@pytest.mark.parametrize("place", [".gitignore", "docs/.gitignore", ".git/info/exclude"])
async def test_a_pipe_in_place_of_an_ignore_file_does_not_block(tmp_path: Path, place: str) -> None:
    repository(tmp_path)
    write(tmp_path, {"docs/a.md": ""})
    (tmp_path / place).unlink(missing_ok=True)
    os.mkfifo(tmp_path / place)
    assert await documents(tmp_path) == {"docs/a.md"}


def test_too_many_patterns_are_reported_once(tmp_path: Path) -> None:
    logged: list[str] = []
    (tmp_path / ".gitignore").write_text("".join(f"x{number}\n" for number in range(5_001)))
    ignore = IgnoreRules(
        str(tmp_path), Layout((".",), "site"), (), lambda event, **fields: logged.append(f"{event} {fields}")
    )
    for _ in range(3):
        ignore.reload("")
    assert len(logged) == 1
    assert "ignore.cut" in logged[0]
    assert ".gitignore" in logged[0]


@pytest.mark.parametrize("place", [".gitignore", ".git/info/exclude"])
async def test_no_more_of_an_ignore_file_is_read_than_a_megabyte(tmp_path: Path, place: str) -> None:
    repository(tmp_path)
    write(tmp_path, {"docs/a.md": "", "docs/b.md": "", place: "b.md\n"})
    os.truncate(tmp_path / place, 1 << 40)
    assert await documents(tmp_path) == {"docs/a.md"}


def test_an_ignore_file_that_is_too_long_is_reported(tmp_path: Path) -> None:
    logged: list[str] = []
    (tmp_path / ".gitignore").write_text("#\n" * (1 << 20))
    IgnoreRules(
        str(tmp_path), Layout((".",), "site"), (), lambda event, **fields: logged.append(f"{event} {fields}")
    ).reload("")
    assert len(logged) == 1
    assert "has more than 1 MiB" in logged[0]
