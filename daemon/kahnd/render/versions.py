"""Which versions of libraries are installed: a part of a recipe, which the daemon makes and no worker."""

from __future__ import annotations


def versions(*names: str) -> str:
    """The libraries' names and versions."""
    from importlib.metadata import version  # noqa: PLC0415 - two megabytes in each worker, and none needs them

    return " ".join(f"{name} {version(name)}" for name in names)
