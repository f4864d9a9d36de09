from __future__ import annotations

from pathlib import Path

import pytest

from kahnd.config.places import find_root, inside
from kahnd.errors import UsageError


def test_the_root_is_found_upwards(tmp_path: Path) -> None:
    (tmp_path / "kahnd.toml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_root(deep) == find_root(tmp_path) == tmp_path.resolve()


def test_the_nearest_root_is_taken(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    for folder in (tmp_path, inner):
        (folder / "kahnd.toml").touch()
    assert find_root(inner) == inner.resolve()


def test_the_root_is_the_real_folder_whichever_way_one_came(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "kahnd.toml").touch()
    (tmp_path / "link").symlink_to(real)
    assert find_root(tmp_path / "link") == real.resolve()


def test_without_a_project_the_way_to_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "kahnd.toml").mkdir()
    with pytest.raises(UsageError, match="kahnd init"):
        find_root(tmp_path)


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("docs", "docs"),
        ("./docs//api/", "docs/api"),
        ("a/../b", "b"),
        (".", "."),
        ("..", None),
        ("a/../../b", None),
        ("/etc", None),
        ("..docs", "..docs"),
        ("a\0b", None),
    ],
)
def test_paths_stay_in_the_project(folder: str, path: str | None) -> None:
    assert inside(folder) == path


def test_a_project_whose_path_is_not_utf8_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    (folder / "kahnd.toml").touch()
    with pytest.raises(UsageError, match=r"not UTF-8: .*caf\\xe9"):
        find_root(folder)
