from __future__ import annotations

import os
from pathlib import Path

from kahnd.core import hashing
from kahnd.core.model import DocumentId, Observation
from watch.harness import by_document, tree_over, write


async def test_links_inside_the_project_are_documents_and_others_are_not(tmp_path: Path) -> None:
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
    assert found["docs/shared"].content_hash == hashing.hash_bytes(b"c")
    (root / "docs/a.md").write_text("changed")
    assert by_document(await tree.look(["docs/a.md"])).keys() == {"docs/a.md", "docs/in"}
    (root / "docs/real/b.md").write_text("changed")
    assert by_document(await tree.look(["docs/folder/b.md"])).keys() == {"docs/real/b.md"}
    (root / "docs/in").unlink()
    (root / "docs/in").symlink_to("real/b.md")
    assert by_document(await tree.look(["docs/in"]))["docs/in"].content_hash == hashing.hash_bytes(b"changed")
    (root / "docs/in").unlink()
    (root / "docs/in").symlink_to(tmp_path / "outside.md")
    assert await tree.look(["docs/in"]) == (Observation(DocumentId("docs/in")),)


async def test_links_through_other_links_and_through_removed_ones(tmp_path: Path) -> None:
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


async def test_a_write_through_another_hard_link_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "one", "docs/b.md": "one", "away/x.md": "one"})
    os.link(tmp_path / "away/x.md", tmp_path / "docs/x.md")
    tree = tree_over(tmp_path)
    await tree.crawl()
    assert await tree.check_hard_links() == ()
    (tmp_path / "away/x.md").write_text("two, and longer")
    assert [each.document for each in await tree.check_hard_links(briefly=True)] == ["docs/x.md"]
    assert await tree.check_hard_links() == ()


async def test_a_file_that_gains_a_hard_link_is_checked_until_it_is_removed(tmp_path: Path) -> None:
    write(tmp_path, {"docs/a.md": "one"})
    tree = tree_over(tmp_path)
    await tree.crawl()
    os.link(tmp_path / "docs/a.md", tmp_path / "a")
    await tree.look(["docs/a.md"])
    (tmp_path / "a").write_text("two, and longer")
    assert [each.document for each in await tree.check_hard_links()] == ["docs/a.md"]
    (tmp_path / "docs/a.md").unlink()
    assert [each.content_hash for each in await tree.check_hard_links()] == [None]
    assert await tree.check_hard_links() == ()


async def test_of_many_hard_links_each_is_checked_in_turn(tmp_path: Path) -> None:
    write(tmp_path, {f"away/{number}.md": "one" for number in range(2_000)})
    (tmp_path / "docs").mkdir()
    for number in range(2_000):
        os.link(tmp_path / f"away/{number}.md", tmp_path / f"docs/{number}.md")
    tree = tree_over(tmp_path)
    await tree.crawl()
    (tmp_path / "away/1999.md").write_text("two, and longer")
    for _ in range(200):
        if found := await tree.check_hard_links(briefly=True):
            break
    assert [each.document for each in found] == ["docs/1999.md"]
