from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from anyio import from_thread

from kahnd.core import hashing
from kahnd.core.model import Dependency, Digest, DocumentId, Facts, Kind, Observation, Problem, Scan, Snapshot
from kahnd.core.rules import Layout
from kahnd.watch.tree.tree import SourceTree
from watch.harness import IncludeScanner, by_document, tree_over, write

WRONG = Digest("0" * 32)


async def test_a_first_observation_has_hash_stat_and_dependencies(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "include docs/b.md\n", "docs/sub/b.md": "x", "docs/data.csv": "include no\n"})
    found = by_document(await tree_over(tmp_path).crawl())
    assert found["docs/a.md"].scan == Scan((Dependency(DocumentId("docs/b.md"), Kind.INCLUDE),))
    assert found["docs/sub/b.md"].scan == Scan()
    assert found["docs/data.csv"].scan == Scan()
    assert found["docs/data.csv"].content_hash == hashing.hash_bytes(b"include no\n")
    stat = found["docs/a.md"].stat
    assert stat is not None
    assert stat.mtime_ns == (tmp_path / "docs/a.md").stat().st_mtime_ns


async def test_a_second_look_returns_only_changes(tmp_path: Path) -> None:
    write(tmp_path, {f"docs/{name}.md": name for name in "abcd"})
    tree = tree_over(tmp_path)
    first = by_document(await tree.crawl())
    assert await tree.crawl() == ()
    (tmp_path / "docs/a.md").write_text("include docs/b.md")
    os.utime(tmp_path / "docs/b.md")
    (tmp_path / "docs/c.md").unlink()
    found = by_document(await tree.crawl())
    assert found.keys() == {"docs/a.md", "docs/b.md", "docs/c.md"}
    assert found["docs/a.md"].scan == Scan((Dependency(DocumentId("docs/b.md"), Kind.INCLUDE),))
    assert found["docs/b.md"].content_hash == first["docs/b.md"].content_hash
    assert found["docs/b.md"].stat != first["docs/b.md"].stat
    assert found["docs/b.md"].scan is None
    assert found["docs/c.md"] == Observation(DocumentId("docs/c.md"))
    assert await tree.crawl() == ()


async def test_looking_at_a_folder_covers_everything_below_it(tmp_path: Path) -> None:
    write(tmp_path, {"docs/x/1.md": "1", "docs/x/deep/2.md": "2", "docs/xx/3.md": "3"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "docs/x").rename(tmp_path / "docs/y")
    found = by_document(await tree.look(["docs/x", "docs/y"]))
    assert {path for path, each in found.items() if each == Observation(DocumentId(path))} == {
        "docs/x/1.md",
        "docs/x/deep/2.md",
    }
    assert {path for path, each in found.items() if each.content_hash} == {"docs/y/1.md", "docs/y/deep/2.md"}
    assert await tree.crawl() == ()


async def test_a_file_is_replaced_by_a_folder_and_back(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a": "file"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "docs/a").unlink()
    write(tmp_path, {"docs/a/b.md": "b"})
    found = by_document(await tree.look(["docs/a"]))
    assert found["docs/a"].content_hash is None
    assert found["docs/a/b.md"].content_hash is not None
    shutil.rmtree(tmp_path / "docs/a")
    write(tmp_path, {"docs/a": "file"})
    found = by_document(await tree.look(["docs/a"]))
    assert found["docs/a"].content_hash is not None
    assert found["docs/a/b.md"].content_hash is None


async def test_nested_sources_report_each_file_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "", "docs/b.md": "", "docs/sub/c.md": "", "other/d.md": ""})
    assert by_document(await tree_over(tmp_path, "docs", "docs/sub").crawl()).keys() == {"docs/b.md", "docs/sub/c.md"}
    tree = tree_over(tmp_path, ".", "docs")
    assert by_document(await tree.crawl()).keys() == {"a.md", "docs/b.md", "docs/sub/c.md", "other/d.md"}
    shutil.rmtree(tmp_path / "docs")
    assert by_document(await tree.look(["docs"])).keys() == {"docs/b.md", "docs/sub/c.md"}


async def test_a_missing_source_is_empty_until_it_is_created(tmp_path: Path) -> None:
    tree = tree_over(tmp_path, "docs", "more")
    assert await tree.crawl() == ()
    write(tmp_path, {"docs/a.md": "a"})
    assert by_document(await tree.look(["docs"])).keys() == {"docs/a.md"}


async def test_paths_outside_the_sources_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a", "elsewhere/b.md": "b"})
    tree = tree_over(tmp_path)
    assert await tree.look(["elsewhere/b.md", "elsewhere", "../x", "docs/../elsewhere/b.md"]) == ()


async def test_a_changed_gitignore_removes_documents_and_restores_them(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a", "docs/sub/b.md": "b", "docs/sub/c.log": "c"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    write(tmp_path, {"docs/sub/.gitignore": "*.log\n"})
    assert await tree.crawl() == (Observation(DocumentId("docs/sub/c.log")),)
    write(tmp_path, {".gitignore": "sub/\n"})
    assert await tree.crawl() == (Observation(DocumentId("docs/sub/b.md")),)
    assert await tree.look(["docs/sub/b.md", "docs/sub"]) == ()
    (tmp_path / ".gitignore").unlink()
    (tmp_path / "docs/sub/.gitignore").unlink()
    assert by_document(await tree.crawl()).keys() == {"docs/sub/b.md", "docs/sub/c.log"}


async def test_unusual_names(tmp_path: Path) -> None:
    names = ["x" * 252 + ".md", "é" * 126 + ".md", "new\nline.md", " ", "-rf", "a b.md", "\u202e.md"]
    write(tmp_path, {f"docs/{name}": name for name in names})
    write(tmp_path, {"docs/caf\udce9.md": "not UTF-8"})
    os.mkfifo(tmp_path / "docs/fifo.md")
    tree = tree_over(tmp_path)
    assert by_document(await tree.crawl()).keys() == {f"docs/{name}" for name in names}
    assert await tree.look(["docs/caf\udce9.md", "docs/fifo.md", "docs/" + "x" * 300]) == ()


@pytest.fixture
def open_root() -> Iterator[Path]:
    """Creates a project folder that other users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Changes the user for a while if it is root, who can read everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


async def test_an_unreadable_file_is_a_problem_that_is_reported_once(open_root: Path) -> None:
    write(open_root, {"docs/a.md": "a"})
    tree = tree_over(open_root)
    await tree.crawl()
    (open_root / "docs/a.md").chmod(0)
    with as_nobody():
        reported = await tree.crawl()
        again = (*await tree.crawl(), *await tree.look(["docs/a.md"]))
    problem = Problem("can't be read: Permission denied", "docs/a.md", remedy="let kahnd read it: chmod u+rX docs/a.md")
    assert reported == (Observation(DocumentId("docs/a.md"), problem=problem),)
    assert again == ()
    (open_root / "docs/a.md").chmod(0o644)
    assert by_document(await tree.crawl())["docs/a.md"].scan == Scan()


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Makes every attempt to open a file fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("path", ["docs/a.md", "docs/sub"])
async def test_documents_unread_for_lack_of_descriptors_are_retried(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"docs/a.md": "a", "docs/sub/b.md": "b"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    write(tmp_path, {"docs/a.md": "another", "docs/sub/b.md": "another"})
    with no_descriptors_left():
        reported = await tree.look([path])
        assert reported
        assert all(each.problem and each.problem.passing for each in reported)
        assert await tree.recheck() == ()
    mended = await tree.recheck()
    assert {each.document for each in reported} - {DocumentId(path)} <= {each.document for each in mended}
    assert hashing.hash_bytes(b"another") in {each.content_hash for each in mended}
    assert not [each for each in mended if each.problem]
    assert await tree.recheck() == ()


async def test_ignore_rules_unread_for_lack_of_descriptors_stay_as_they_were(
    tmp_path: Path,
) -> None:
    write(tmp_path, {".gitignore": "*.log\n", "docs/a.md": "a", "docs/b.log": "b"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    write(tmp_path, {".gitignore": "*.none\n"})
    with no_descriptors_left():
        assert "docs/b.log" not in by_document(await tree.crawl())
    assert by_document(await tree.recheck())["docs/b.log"].content_hash == hashing.hash_bytes(b"b")
    assert await tree.recheck() == ()


@pytest.mark.parametrize("mode", [0o000, 0o444])
async def test_an_unreadable_folder_keeps_the_documents_below_it(open_root: Path, mode: int) -> None:
    write(open_root, {"docs/a.md": "a", "docs/shut/b.md": "b"})
    tree = tree_over(open_root)
    await tree.crawl()
    (open_root / "docs/shut").chmod(mode)
    with as_nobody():
        found = by_document(await tree.crawl())
        again = await tree.look(["docs/shut", "docs/shut/b.md"])
    assert found["docs/shut/b.md"].problem is not None
    assert all(each.problem is not None for each in found.values())
    assert [each for each in again if each.problem is None] == []
    (open_root / "docs/shut").chmod(0o755)
    mended = by_document(await tree.look(["docs/shut"]))
    assert mended["docs/shut/b.md"].content_hash == hashing.hash_bytes(b"b")
    assert await tree.crawl() == ()


class RemovingScanner(IncludeScanner):
    """Removes a document just before it is read."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def wants(self, document: DocumentId) -> bool:
        (self._root / document).unlink()
        return True


async def test_a_file_that_vanishes_before_it_is_read_is_removed_if_it_was_known(tmp_path: Path) -> None:
    write(tmp_path, {"docs/known.md": "a", "docs/new.md": "b"})
    tree = SourceTree(tmp_path, Layout(("docs",), "site"), (), RemovingScanner(tmp_path))
    tree.restore(Snapshot((Facts(DocumentId("docs/known.md"), content_hash=WRONG),)))
    assert await tree.look(["docs/known.md", "docs/new.md"]) == (Observation(DocumentId("docs/known.md")),)


class CancellingScanner(IncludeScanner):
    """Cancels the look after the third file."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        super().__init__()
        self._scope = scope

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        found = super().scan(document, content)
        if len(self.scanned) == 3:
            from_thread.run_sync(self._scope.cancel)
        return found


async def test_a_cancelled_look_ends_with_the_current_file(tmp_path: Path) -> None:
    write(tmp_path, {f"docs/{number}.md": "" for number in range(100)})
    scope = anyio.CancelScope()
    scanner = CancellingScanner(scope)
    with scope:
        await SourceTree(tmp_path, Layout(("docs",), "site"), (), scanner).crawl()
    assert scope.cancelled_caught
    assert len(scanner.scanned) == 3


async def test_a_look_reports_progress_for_each_file_and_folder(tmp_path: Path) -> None:
    write(tmp_path, {f"docs/{number % 3}/{number}.md": "" for number in range(30)})
    signs: list[None] = []
    layout = Layout(("docs",), "site")
    tree = SourceTree(tmp_path, layout, (), IncludeScanner(), on_progress=lambda: signs.append(None))
    await tree.crawl()
    assert len(signs) >= 30
    signs.clear()
    await tree.crawl()
    assert len(signs) >= 4


class BrokenScanner(IncludeScanner):
    """Raises for one document, and returns a problem for another."""

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        if content == b"break":
            raise RecursionError("too deep")
        if content == b"limit":
            return Scan(problem=Problem("too much", document, 3))
        return super().scan(document, content)


async def test_a_failed_scan_becomes_the_documents_problem(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "break", "docs/b.md": "limit", "docs/c.md": "fine"})
    logged: list[str] = []
    layout = Layout(("docs",), "site")
    tree = SourceTree(tmp_path, layout, (), BrokenScanner(), lambda event, **_fields: logged.append(event))
    found = by_document(await tree.crawl())
    assert found["docs/a.md"].problem is not None
    assert "RecursionError: too deep" in found["docs/a.md"].problem.message
    assert found["docs/a.md"].problem.file == "docs/a.md"
    assert found["docs/b.md"].problem == Problem("too much", "docs/b.md", 3)
    assert found["docs/c.md"].content_hash is not None
    assert logged == ["document.unscanned"]
    write(tmp_path, {"docs/a.md": "mended"})
    assert by_document(await tree.look(["docs/a.md"]))["docs/a.md"].content_hash is not None
