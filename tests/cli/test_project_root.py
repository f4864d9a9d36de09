from __future__ import annotations

from pathlib import Path

import pytest

from kahnd.cli.context import find_root
from kahnd.errors import UsageError


def test_the_root_is_found_in_a_parent_folder(tmp_path: Path) -> None:
    (tmp_path / "kahnd.toml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_root(deep) == find_root(tmp_path) == tmp_path.resolve()


def test_the_nearest_root_is_used(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    for folder in (tmp_path, inner):
        (folder / "kahnd.toml").touch()
    assert find_root(inner) == inner.resolve()


def test_the_root_is_the_real_path(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "kahnd.toml").touch()
    (tmp_path / "link").symlink_to(real)
    assert find_root(tmp_path / "link") == real.resolve()


def test_without_a_project_the_error_has_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "kahnd.toml").mkdir()
    with pytest.raises(UsageError, match="kahnd init"):
        find_root(tmp_path)


def test_a_project_whose_path_is_not_utf8_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    (folder / "kahnd.toml").touch()
    with pytest.raises(UsageError, match=r"not UTF-8: .*caf\\xe9"):
        find_root(folder)
