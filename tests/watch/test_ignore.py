from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kahnd.core.rules import Layout
from kahnd.watch.ignore import Ignore, never_document
from watch.harness import by_document, tree_over, write

EDITORS_NAMES = [
    *("a.md~", ".#a.md", "#a.md#", "4913", "a.md___jb_tmp___", "a.md___jb_old___", ".goutputstream-AB12CD"),
    *("sedXXXXXX", "sedk3Jf9a", ".a.md.swp", ".a.md.swo", ".a.md.swx", ".~lock.a.odt#", ".DS_Store"),
]


@pytest.mark.parametrize("name", [*EDITORS_NAMES, ".git", ".hg", ".svn", ".kahnd", "caf\udce9.md"])
def test_names_that_are_never_documents(name: str) -> None:
    assert never_document(name)


@pytest.mark.parametrize(
    "name", ["a.md", "sediments", "sed.md", "tilde~.md", "#1.md", ".hidden", "a\nb.md", "é.md", "swp"]
)
def test_names_that_are_documents(name: str) -> None:
    assert not never_document(name)


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


async def test_the_configs_patterns_count_from_the_project_and_come_before_gitignore(tmp_path: Path) -> None:
    write(
        tmp_path,
        {".gitignore": "*.log\n", "docs/keep.log": "", "docs/a.log": "", "docs/drafts/a.md": "", "docs/a.md": ""},
    )
    found = await documents(tmp_path, ignore=("docs/drafts/**", "!keep.log"))
    assert found == {"docs/keep.log", "docs/a.md"}


async def test_a_source_that_a_pattern_would_ignore_is_looked_into(tmp_path: Path) -> None:
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
            ["a", "b", "*", "*.md", "c.*", "a/b", "a/*", "*/b", "a/**", "a/**/b", "[ab]", "?", "d.log", "a b"]
        ),
        st.sampled_from(["", "", "/", "/**"]),
    ),
).filter(lambda pattern: not pattern.endswith("**/"))  # `a/**/` is `a/` to pathspec, but not to git
FILES = st.lists(PATHS, min_size=1, max_size=12)
GITIGNORES = st.dictionaries(st.sampled_from(["", "a", "b", "a/b", "b/a"]), st.lists(PATTERNS, max_size=4), max_size=3)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES, gitignores=GITIGNORES)
def test_gitignore_means_what_git_says(
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
    ignore = Ignore(str(root), Layout((".",), "site"), ())
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


def test_a_hundred_thousand_paths_are_judged_in_seconds(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "\n".join(f"*.x{number}" for number in range(20))})
    ignore = Ignore(str(tmp_path), Layout(("docs",), "site"), ())
    start = time.perf_counter()
    ignored = sum(
        ignore.rules(f"docs/{folder}").ignores(f"{number}.x{number % 40}", folder=False)
        for folder in range(1000)
        for number in range(100)
    )
    assert ignored == 60_000
    assert time.perf_counter() - start < 10
