from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from kahnd.platform.unix_socket import MAX_ADDRESS_BYTES, socket_path


def _deep(folder: Path) -> Path:
    """A project whose path is too long for a socket."""
    deep = folder.joinpath(*["a" * 40] * 4)
    deep.mkdir(parents=True)
    return deep


def test_the_socket_is_in_the_project_if_its_path_fits(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    assert socket_path(root) == root / ".kahnd" / "control.sock"


def test_the_longest_that_fits_does_work(tmp_path: Path) -> None:
    rest = MAX_ADDRESS_BYTES - len(os.fsencode(tmp_path.resolve() / ".kahnd" / "control.sock")) - 1
    root = tmp_path.resolve() / ("ü" + "a" * (rest - 2))
    path = socket_path(root)
    assert len(os.fsencode(path)) == MAX_ADDRESS_BYTES
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
    assert socket_path(Path(f"{root}a")).parent != Path(f"{root}a") / ".kahnd"


def test_a_deep_project_has_it_in_the_runtime_folder(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path_factory.mktemp("r")  # as short as they are
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    path = socket_path(_deep(tmp_path))
    assert path.parent == runtime / "kahnd"
    assert len(os.fsencode(path)) <= MAX_ADDRESS_BYTES


def test_projects_do_not_share_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = _deep(tmp_path)
    (deep / "b").mkdir()
    assert socket_path(deep) != socket_path(deep / "b")


def test_the_path_is_the_same_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    deep = _deep(tmp_path)
    (tmp_path / "link").symlink_to(deep)
    assert socket_path(tmp_path / "link") == socket_path(deep)


def test_a_runtime_folder_that_is_too_long_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = _deep(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    assert len(os.fsencode(socket_path(deep))) <= MAX_ADDRESS_BYTES


def test_it_depends_on_no_relative_folder_and_no_temporary_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon and its clients may be started anywhere, with other environments."""
    deep = _deep(tmp_path)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    unset = socket_path(deep)
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("t")))
    for given in ("", "r", "./r", "~/r"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", given)
        assert socket_path(deep) == unset
    assert unset.is_absolute()
