"""Frozen values with a JSON form."""

from __future__ import annotations

import msgspec


class Value(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A frozen value that names its type in JSON."""
