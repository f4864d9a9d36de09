from __future__ import annotations

import os
import posixpath
import random
import shutil
from pathlib import Path

import pytest

from kahnd.core.model import Digest
from watch.harness import tree_over


@pytest.mark.parametrize("seed", range(5))
async def test_looking_at_changed_paths_is_as_good_as_a_crawl(tmp_path: Path, seed: int) -> None:
    """After random operations, looking at the touched paths must give the state that a fresh tree finds."""
    rng = random.Random(seed)  # noqa: S311  it must be repeatable
    tree = tree_over(tmp_path, "docs", "docs/a/b")
    state: dict[str, Digest] = {}
    (tmp_path / "docs").mkdir()
    for _ in range(60):
        touched = [path for _ in range(rng.randrange(1, 4)) for path in change_randomly(tmp_path, rng)]
        for observation in await tree.look(touched):
            state.pop(observation.document, None)
            if observation.content_hash is not None:
                state[observation.document] = observation.content_hash
        fresh = await tree_over(tmp_path, "docs", "docs/a/b").crawl()
        assert state == {str(each.document): each.content_hash for each in fresh}
        # On a slow machine a stat may be trusted only now, and is then reported once more.
        late = await tree.crawl()
        assert all(each.scan is None and each.content_hash == state.get(each.document, "") for each in late)


def change_randomly(root: Path, rng: random.Random) -> list[str]:
    """Performs one random operation below docs/ and returns the paths that it touches."""
    path, other = (real(root, "docs/" + "/".join(rng.choices("abc", k=rng.randrange(1, 4)))) for _ in range(2))
    match rng.choice(["write", "write", "remove", "rename", "link"]):
        case "write":
            return write_through(root, path, rng)
        case "remove":
            remove(root / path)
            return [path]
        case "link":
            remove(root / path)
            (root / path).parent.mkdir(parents=True, exist_ok=True) if can_create(root, path) else None
            if (root / path).parent.is_dir():
                (root / path).symlink_to(root / other)
            return [path]
        case _:
            movable = (root / path).exists() and not other.startswith(f"{path}/")
            if movable and (root / other).parent.is_dir() and not os.path.lexists(root / other):
                (root / path).rename(root / other)
            return [path, other]


def real(root: Path, path: str) -> str:
    """Returns the path with the links in its folders resolved, as the kernel reports it."""
    above, name = posixpath.split(path)
    return posixpath.join(os.path.relpath(os.path.realpath(root / above), os.path.realpath(root)), name)


def can_create(root: Path, path: str) -> bool:
    return all(above.is_dir() or not os.path.lexists(above) for above in (root / path).parents)


def write_through(root: Path, path: str, rng: random.Random) -> list[str]:
    target = root / path
    if not can_create(root, path) or target.is_dir() or target.is_symlink():
        return [path]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(rng.choice("xyz"))
    return [path]


def remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
