from __future__ import annotations

import os
import posixpath
import random
import resource
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
from anyio import from_thread
from msgspec.structs import replace

from kahnd.core import digest
from kahnd.core.model import Dependency, Digest, DocumentId, Facts, Kind, Problem, Scan, Sighting, Snapshot, Status
from kahnd.core.rules import Layout, collection_id
from kahnd.watch.tree import SourceTree
from watch.harness import IncludeScanner, by_document, tree_over, write

WRONG = Digest("0" * 32)


def remembered(sightings: Iterable[Sighting], *, later_ns: int = 0, content_hash: Digest | None = None) -> Snapshot:
    """What a store would keep of these, as if each had been hashed that much later."""
    facts = [
        Facts(
            each.document,
            content_hash=content_hash or each.content_hash,
            stat=each.stat and replace(each.stat, hashed_ns=each.stat.hashed_ns + later_ns),
            problem=each.problem,
        )
        for each in sightings
    ]
    return Snapshot(tuple(facts))


LATER_NS = 10_000_000_000


async def test_first_sightings_carry_hash_stat_and_what_the_same_bytes_depend_on(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "include docs/b.md\n", "docs/sub/b.md": "x", "docs/data.csv": "include no\n"})
    found = by_document(await tree_over(tmp_path).crawl())
    assert found["docs/a.md"].scan == Scan((Dependency(DocumentId("docs/b.md"), Kind.INCLUDE),))
    assert found["docs/sub/b.md"].scan == Scan()
    assert found["docs/data.csv"].scan == Scan()
    assert found["docs/data.csv"].content_hash == digest.of_bytes(b"include no\n")
    stat = found["docs/a.md"].stat
    assert stat is not None
    assert stat.mtime_ns == (tmp_path / "docs/a.md").stat().st_mtime_ns


async def test_a_second_look_tells_only_what_differs(tmp_path: Path) -> None:
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
    assert found["docs/c.md"] == Sighting(DocumentId("docs/c.md"))
    assert await tree.crawl() == ()


async def test_a_trusted_stat_saves_hashing_and_a_racy_one_does_not(tmp_path: Path) -> None:
    """Told by a wrong hash in the cache: who trusts the stat does not notice it."""
    write(tmp_path, {f"docs/{number}.md": str(number) for number in range(50)})
    sightings = await tree_over(tmp_path).crawl()
    trusting, doubting = tree_over(tmp_path), tree_over(tmp_path)
    trusting.known(remembered(sightings, later_ns=LATER_NS, content_hash=WRONG))
    doubting.known(remembered(sightings, content_hash=WRONG))
    assert await trusting.crawl() == ()
    assert by_document(await doubting.crawl()).keys() == by_document(sightings).keys()


def spoil(tree: SourceTree, document: str, content_hash: Digest) -> None:
    """As if the bytes had become others without the stat showing it."""
    entry = tree._cache.get(document)
    assert entry is not None
    tree._cache.put(document, msgspec.structs.replace(entry, content_hash=content_hash))


async def test_what_was_hashed_right_after_a_change_is_looked_at_again_by_itself_and_once(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a", "docs/future.md": "b"})
    os.utime(tmp_path / "docs/future.md", (9e9, 9e9))  # the clock went back
    tree = tree_over(tmp_path)
    await tree.crawl()
    spoil(tree, "docs/a.md", WRONG)
    assert await tree.look_again() == ()
    found: dict[str, Sighting] = {}
    with anyio.fail_after(10):
        while not found:
            await anyio.sleep(0.05)
            found = by_document(await tree.look_again())
    assert found["docs/a.md"].content_hash == digest.of_bytes(b"a")
    assert tree._doubted == {}
    assert await tree.look_again() == ()


async def test_a_change_that_shows_is_left_to_its_event(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "docs/a.md").write_text("half of a sa")
    with anyio.fail_after(10):
        while tree._doubted:
            await anyio.sleep(0.05)
            assert await tree.look_again() == ()
    assert by_document(await tree.look(["docs/a.md"])).keys() == {"docs/a.md"}


async def test_a_stat_that_can_be_trusted_only_now_is_told_once(tmp_path: Path) -> None:
    """Or each start after one right after a checkout would hash everything anew."""
    write(tmp_path, {"docs/a.md": "a"})
    first = await tree_over(tmp_path).crawl()
    racy = Snapshot(tuple(Facts(each.document, content_hash=each.content_hash, stat=each.stat) for each in first))
    found: dict[str, Sighting] = {}
    with anyio.fail_after(10):
        while not found:
            await anyio.sleep(0.05)
            tree = tree_over(tmp_path)
            tree.known(racy)
            found = by_document(await tree.crawl())
    assert found["docs/a.md"].scan is None
    assert await tree.crawl() == ()


async def test_ten_thousand_unchanged_documents_are_not_read_at_a_start(tmp_path: Path) -> None:
    """Told by a wrong hash in the cache: whoever reads a document notices it."""
    write(tmp_path, {f"docs/{number % 100}/{number}.md": str(number) for number in range(10_000)})
    sightings = await tree_over(tmp_path).crawl()
    tree = tree_over(tmp_path)
    tree.known(remembered(sightings, later_ns=LATER_NS, content_hash=WRONG))
    assert await tree.crawl() == ()


@pytest.mark.parametrize("tool", ["cp -p", "touch -r", "mv"])
async def test_a_change_whose_time_was_restored_is_found_by_its_stat(tmp_path: Path, tool: str) -> None:
    write(tmp_path, {"docs/a.md": "a", "other": "b"})
    first = await tree_over(tmp_path).crawl()
    tree = tree_over(tmp_path)
    tree.known(remembered(first, later_ns=LATER_NS))
    before = (tmp_path / "docs/a.md").stat()
    os.utime(tmp_path / "other", ns=(before.st_atime_ns, before.st_mtime_ns))
    match tool:
        case "cp -p":
            shutil.copy2(tmp_path / "other", tmp_path / "docs/a.md")
        case "mv":
            (tmp_path / "other").replace(tmp_path / "docs/a.md")
        case _:
            (tmp_path / "docs/a.md").write_text("b")
            os.utime(tmp_path / "docs/a.md", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (tmp_path / "docs/a.md").stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    assert by_document(await tree.crawl())["docs/a.md"].content_hash == digest.of_bytes(b"b")


async def test_a_path_that_is_hinted_at_is_hashed_whatever_its_stat_says(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a"})
    sightings = await tree_over(tmp_path).crawl()
    tree = tree_over(tmp_path)
    tree.known(remembered(sightings, later_ns=LATER_NS, content_hash=WRONG))
    assert by_document(await tree.look(["docs/a.md"]))["docs/a.md"].content_hash == digest.of_bytes(b"a")


async def test_what_a_snapshot_knows_and_is_not_there_is_gone(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a"})
    tree = tree_over(tmp_path)
    old = Facts(DocumentId("docs/old/b.md"), content_hash=WRONG)
    never = Facts(DocumentId("docs/never.md"), status=Status.MISSING)
    collection = Facts(collection_id("docs/*.md"), content_hash=WRONG)
    tree.known(Snapshot((old, never, collection)))
    assert by_document(await tree.crawl()).keys() == {"docs/a.md", "docs/old/b.md"}


async def test_a_hint_at_a_folder_covers_all_below_it(tmp_path: Path) -> None:
    write(tmp_path, {"docs/x/1.md": "1", "docs/x/deep/2.md": "2", "docs/xx/3.md": "3"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "docs/x").rename(tmp_path / "docs/y")
    found = by_document(await tree.look(["docs/x", "docs/y"]))
    assert {path for path, each in found.items() if each == Sighting(DocumentId(path))} == {
        "docs/x/1.md",
        "docs/x/deep/2.md",
    }
    assert {path for path, each in found.items() if each.content_hash} == {"docs/y/1.md", "docs/y/deep/2.md"}
    assert await tree.crawl() == ()


async def test_a_folder_in_the_place_of_a_file_and_back(tmp_path: Path) -> None:
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


async def test_sources_within_one_another_give_each_file_once(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "", "docs/b.md": "", "docs/sub/c.md": "", "other/d.md": ""})
    assert by_document(await tree_over(tmp_path, "docs", "docs/sub").crawl()).keys() == {"docs/b.md", "docs/sub/c.md"}
    tree = tree_over(tmp_path, ".", "docs")
    assert by_document(await tree.crawl()).keys() == {"a.md", "docs/b.md", "docs/sub/c.md", "other/d.md"}
    shutil.rmtree(tmp_path / "docs")
    assert by_document(await tree.look(["docs"])).keys() == {"docs/b.md", "docs/sub/c.md"}


async def test_a_missing_source_holds_nothing_until_it_comes(tmp_path: Path) -> None:
    tree = tree_over(tmp_path, "docs", "more")
    assert await tree.crawl() == ()
    write(tmp_path, {"docs/a.md": "a"})
    assert by_document(await tree.look(["docs"])).keys() == {"docs/a.md"}


async def test_paths_outside_the_sources_are_of_no_interest(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a", "elsewhere/b.md": "b"})
    tree = tree_over(tmp_path)
    assert await tree.look(["elsewhere/b.md", "elsewhere", "../x", "docs/../elsewhere/b.md"]) == ()


async def test_a_changed_gitignore_takes_documents_away_and_brings_them_back(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a", "docs/sub/b.md": "b", "docs/sub/c.log": "c"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    write(tmp_path, {"docs/sub/.gitignore": "*.log\n"})
    assert await tree.crawl() == (Sighting(DocumentId("docs/sub/c.log")),)
    write(tmp_path, {".gitignore": "sub/\n"})
    assert await tree.crawl() == (Sighting(DocumentId("docs/sub/b.md")),)
    assert await tree.look(["docs/sub/b.md", "docs/sub"]) == ()
    (tmp_path / ".gitignore").unlink()
    (tmp_path / "docs/sub/.gitignore").unlink()
    assert by_document(await tree.crawl()).keys() == {"docs/sub/b.md", "docs/sub/c.log"}


async def test_links_inside_the_project_are_read_through_and_others_are_no_documents(tmp_path: Path) -> None:
    root = tmp_path / "project"
    write(root, {"docs/a.md": "a", "docs/real/b.md": "b", "shared/c.md": "c", "site/out.html": "o", "secret.md": "s"})
    (tmp_path / "outside.md").write_text("outside")
    for link, target in {
        "in": "a.md",
        "shared": "../shared/c.md",
        "folder": "real",
        "out": "../../outside.md",
        "absolute": str(tmp_path / "outside.md"),
        "output": "../site/out.html",
        "nowhere": "missing",
        "self": "self",
    }.items():
        (root / "docs" / link).symlink_to(target)
    tree = tree_over(root)
    found = by_document(await tree.crawl())
    assert found.keys() == {"docs/a.md", "docs/real/b.md", "docs/in", "docs/shared"}
    assert found["docs/shared"].content_hash == digest.of_bytes(b"c")
    (root / "docs/a.md").write_text("changed")
    assert by_document(await tree.look(["docs/a.md"])).keys() == {"docs/a.md", "docs/in"}
    (root / "docs/real/b.md").write_text("changed")
    assert by_document(await tree.look(["docs/folder/b.md"])).keys() == {"docs/real/b.md"}
    (root / "docs/in").unlink()
    (root / "docs/in").symlink_to("real/b.md")
    assert by_document(await tree.look(["docs/in"]))["docs/in"].content_hash == digest.of_bytes(b"changed")
    (root / "docs/in").unlink()
    (root / "docs/in").symlink_to(tmp_path / "outside.md")
    assert await tree.look(["docs/in"]) == (Sighting(DocumentId("docs/in")),)


async def test_a_link_by_way_of_another_and_a_name_through_a_link_that_is_gone(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "a", "docs/real/b.md": "b"})
    for link, target in {"first": "second", "second": "a.md", "folder": "real"}.items():
        (tmp_path / "docs" / link).symlink_to(target)
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "docs/second").unlink()
    (tmp_path / "docs/second").symlink_to("real/b.md")
    assert by_document(await tree.look(["docs/second"])).keys() == {"docs/first", "docs/second"}
    write(tmp_path, {"docs/real/b.md": "changed"})
    (tmp_path / "docs/folder").unlink()
    assert "docs/real/b.md" in by_document(await tree.look(["docs/folder/b.md"]))


async def test_odd_names(tmp_path: Path) -> None:
    names = ["x" * 252 + ".md", "é" * 126 + ".md", "new\nline.md", " ", "-rf", "a b.md", "\u202e.md"]
    write(tmp_path, {f"docs/{name}": name for name in names})
    write(tmp_path, {"docs/caf\udce9.md": "not UTF-8"})
    os.mkfifo(tmp_path / "docs/fifo.md")
    tree = tree_over(tmp_path)
    assert by_document(await tree.crawl()).keys() == {f"docs/{name}" for name in names}
    assert await tree.look(["docs/caf\udce9.md", "docs/fifo.md", "docs/" + "x" * 300]) == ()


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A project that other users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root reads everything; so for a while, be somebody else."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


async def test_an_unreadable_file_is_a_problem_told_once_and_mended(open_root: Path) -> None:
    write(open_root, {"docs/a.md": "a"})
    tree = tree_over(open_root)
    await tree.crawl()
    (open_root / "docs/a.md").chmod(0)
    with as_nobody():
        told = await tree.crawl()
        again = (*await tree.crawl(), *await tree.look(["docs/a.md"]))
    problem = Problem("can't be read: Permission denied", "docs/a.md", remedy="let kahnd read it: chmod u+rX docs/a.md")
    assert told == (Sighting(DocumentId("docs/a.md"), problem=problem),)
    assert again == ()
    (open_root / "docs/a.md").chmod(0o644)
    assert by_document(await tree.crawl())["docs/a.md"].scan == Scan()


@contextmanager
def without_a_file_to_spare() -> Iterator[None]:
    """Nothing more can be opened."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("path", ["docs/a.md", "docs/sub"])
async def test_what_could_not_be_read_for_want_of_files_is_looked_at_until_it_can_be(tmp_path: Path, path: str) -> None:
    write(tmp_path, {"docs/a.md": "a", "docs/sub/b.md": "b"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    write(tmp_path, {"docs/a.md": "another", "docs/sub/b.md": "another"})
    with without_a_file_to_spare():
        told = await tree.look([path])
        assert told
        assert all(each.problem and each.problem.passing for each in told)
        assert await tree.look_again() == ()
    mended = await tree.look_again()
    assert {each.document for each in told} - {DocumentId(path)} <= {each.document for each in mended}
    assert digest.of_bytes(b"another") in {each.content_hash for each in mended}
    assert not [each for each in mended if each.problem]
    assert await tree.look_again() == ()


async def test_ignore_rules_that_could_not_be_read_for_want_of_files_are_as_before_until_they_can_be(
    tmp_path: Path,
) -> None:
    write(tmp_path, {".gitignore": "*.log\n", "docs/a.md": "a", "docs/b.log": "b"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    write(tmp_path, {".gitignore": "*.none\n"})
    with without_a_file_to_spare():
        assert "docs/b.log" not in by_document(await tree.crawl())
    assert by_document(await tree.look_again())["docs/b.log"].content_hash == digest.of_bytes(b"b")
    assert await tree.look_again() == ()


@pytest.mark.parametrize("mode", [0o000, 0o444])
async def test_a_folder_that_cannot_be_entered_keeps_what_is_known_below_it(open_root: Path, mode: int) -> None:
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
    assert mended["docs/shut/b.md"].content_hash == digest.of_bytes(b"b")
    assert await tree.crawl() == ()


class Thief(IncludeScanner):
    """Removes a document just before it is read."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root

    def wants(self, document: DocumentId) -> bool:
        (self._root / document).unlink()
        return True


async def test_a_file_that_vanishes_between_event_and_read_is_gone_if_it_was_known(tmp_path: Path) -> None:
    write(tmp_path, {"docs/known.md": "a", "docs/new.md": "b"})
    tree = SourceTree(tmp_path, Layout(("docs",), "site"), (), Thief(tmp_path))
    tree.known(Snapshot((Facts(DocumentId("docs/known.md"), content_hash=WRONG),)))
    assert await tree.look(["docs/known.md", "docs/new.md"]) == (Sighting(DocumentId("docs/known.md")),)


@pytest.mark.parametrize("seed", range(5))
async def test_looking_where_something_happened_is_as_good_as_looking_everywhere(tmp_path: Path, seed: int) -> None:
    """Random operations; the sightings of hinted paths alone must lead to what a fresh tree sees."""
    chance = random.Random(seed)  # noqa: S311  a replayable one is wanted
    tree = tree_over(tmp_path, "docs", "docs/a/b")
    state: dict[str, Digest] = {}
    (tmp_path / "docs").mkdir()
    for _ in range(60):
        touched = [path for _ in range(chance.randrange(1, 4)) for path in upset(tmp_path, chance)]
        for sighting in await tree.look(touched):
            state.pop(sighting.document, None)
            if sighting.content_hash is not None:
                state[sighting.document] = sighting.content_hash
        fresh = await tree_over(tmp_path, "docs", "docs/a/b").crawl()
        assert state == {str(each.document): each.content_hash for each in fresh}
        assert await tree.crawl() == ()


def upset(root: Path, chance: random.Random) -> list[str]:
    """One random operation below docs/, and the paths that it touches."""
    path, other = (real(root, "docs/" + "/".join(chance.choices("abc", k=chance.randrange(1, 4)))) for _ in range(2))
    match chance.choice(["write", "write", "remove", "rename", "link"]):
        case "write":
            return write_through(root, path, chance)
        case "remove":
            remove(root / path)
            return [path]
        case "link":
            remove(root / path)
            (root / path).parent.mkdir(parents=True, exist_ok=True) if free(root, path) else None
            if (root / path).parent.is_dir():
                (root / path).symlink_to(root / other)
            return [path]
        case _:
            movable = (root / path).exists() and not other.startswith(f"{path}/")
            if movable and (root / other).parent.is_dir() and not os.path.lexists(root / other):
                (root / path).rename(root / other)
            return [path, other]


def real(root: Path, path: str) -> str:
    """The path without links above its name, as the kernel tells it."""
    above, name = posixpath.split(path)
    return posixpath.join(os.path.relpath(os.path.realpath(root / above), os.path.realpath(root)), name)


def free(root: Path, path: str) -> bool:
    return all(above.is_dir() or not os.path.lexists(above) for above in (root / path).parents)


def write_through(root: Path, path: str, chance: random.Random) -> list[str]:
    target = root / path
    if not free(root, path) or target.is_dir() or target.is_symlink():
        return [path]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(chance.choice("xyz"))
    return [path]


def remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


class Guillotine(IncludeScanner):
    """Ends the look that it scans for after the third file."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        super().__init__()
        self._scope = scope

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        found = super().scan(document, content)
        if len(self.scanned) == 3:
            from_thread.run_sync(self._scope.cancel)
        return found


async def test_a_look_that_nobody_wants_any_more_ends_with_the_file_that_it_is_at(tmp_path: Path) -> None:
    write(tmp_path, {f"docs/{number}.md": "" for number in range(100)})
    scope = anyio.CancelScope()
    scanner = Guillotine(scope)
    with scope:
        await SourceTree(tmp_path, Layout(("docs",), "site"), (), scanner).crawl()
    assert scope.cancelled_caught
    assert len(scanner.scanned) == 3


async def test_a_look_shows_with_each_file_and_folder_that_it_goes_on(tmp_path: Path) -> None:
    write(tmp_path, {f"docs/{number % 3}/{number}.md": "" for number in range(30)})
    signs: list[None] = []
    layout = Layout(("docs",), "site")
    tree = SourceTree(tmp_path, layout, (), IncludeScanner(), goes_on=lambda: signs.append(None))
    await tree.crawl()
    assert len(signs) >= 30
    signs.clear()
    await tree.crawl()
    assert len(signs) >= 4


class BrokenScanner(IncludeScanner):
    """Breaks over one document, and has a problem with another."""

    def scan(self, document: DocumentId, content: bytes) -> Scan:
        if content == b"break":
            raise RecursionError("too deep")
        if content == b"limit":
            return Scan(problem=Problem("too much", document, 3))
        return super().scan(document, content)


async def test_what_a_scan_breaks_over_is_that_documents_problem(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "break", "docs/b.md": "limit", "docs/c.md": "fine"})
    said: list[str] = []
    layout = Layout(("docs",), "site")
    tree = SourceTree(tmp_path, layout, (), BrokenScanner(), lambda event, **_fields: said.append(event))
    found = by_document(await tree.crawl())
    assert found["docs/a.md"].problem is not None
    assert "RecursionError: too deep" in found["docs/a.md"].problem.message
    assert found["docs/a.md"].problem.file == "docs/a.md"
    assert found["docs/b.md"].problem == Problem("too much", "docs/b.md", 3)
    assert found["docs/c.md"].content_hash is not None
    assert said == ["document.unscanned"]
    write(tmp_path, {"docs/a.md": "mended"})
    assert by_document(await tree.look(["docs/a.md"]))["docs/a.md"].content_hash is not None


async def test_what_is_written_to_a_file_by_another_of_its_names_is_found_by_a_look(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "one", "docs/b.md": "one", "away/x.md": "one"})
    os.link(tmp_path / "away/x.md", tmp_path / "docs/x.md")
    tree = tree_over(tmp_path)
    await tree.crawl()
    assert await tree.look_at_shared() == ()
    (tmp_path / "away/x.md").write_text("two, and longer")
    assert [each.document for each in await tree.look_at_shared(at_leisure=True)] == ["docs/x.md"]
    assert await tree.look_at_shared() == ()


async def test_a_file_that_gets_another_name_later_is_looked_at_and_no_more_when_it_is_gone(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "one"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    os.link(tmp_path / "docs/a.md", tmp_path / "a")
    await tree.look(["docs/a.md"])
    (tmp_path / "a").write_text("two, and longer")
    assert [each.document for each in await tree.look_at_shared()] == ["docs/a.md"]
    (tmp_path / "docs/a.md").unlink()
    assert [each.content_hash for each in await tree.look_at_shared()] == [None]
    assert await tree.look_at_shared() == ()


async def test_of_very_many_shared_files_each_is_looked_at_in_its_turn(tmp_path: Path) -> None:
    write(tmp_path, {f"away/{number}.md": "one" for number in range(2_000)})
    (tmp_path / "docs").mkdir()
    for number in range(2_000):
        os.link(tmp_path / f"away/{number}.md", tmp_path / f"docs/{number}.md")
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "away/1999.md").write_text("two, and longer")
    for _ in range(200):
        if found := await tree.look_at_shared(at_leisure=True):
            break
    assert [each.document for each in found] == ["docs/1999.md"]
