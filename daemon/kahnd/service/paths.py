"""Where a daemon and its clients meet."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

LONGEST_ADDRESS: Final = 107
"""Bytes that fit a Unix socket's address on Linux (`sun_path`, less its closing zero)."""


def socket_path(root: Path) -> Path:
    """A project's control socket: below `.kahnd/`, or in the user's runtime folder where that path is too long.

    The name there comes from the root's real path, so that a daemon and its clients agree. The folder may have to
    be made.
    """
    real = root.resolve()
    near = real / ".kahnd" / "control.sock"
    if _fits(near):
        return near
    import hashlib  # noqa: PLC0415 (slow to import, and seldom needed)

    name = f"{hashlib.blake2b(os.fsencode(real), digest_size=16).hexdigest()}.sock"
    return next(path for path in (folder / name for folder in _runtime_folders()) if _fits(path))


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_ADDRESS


def _runtime_folders() -> list[Path]:
    """Folders of the user's own, best first; the last is always short enough."""
    import tempfile  # noqa: PLC0415 (likewise)

    uid = os.getuid()
    given = os.environ.get("XDG_RUNTIME_DIR")
    own = [Path(given)] if given else []
    usual = Path(f"/run/user/{uid}")
    own += [usual] if usual.is_dir() else []
    temporary = [Path(tempfile.gettempdir()), Path("/tmp")]  # noqa: S108 (the server makes the folder its own, or refuses)
    return [*(folder / "kahnd" for folder in own), *(folder / f"kahnd-{uid}" for folder in temporary)]
