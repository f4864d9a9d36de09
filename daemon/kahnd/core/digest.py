"""The hashes that decide: of bytes, of recipes, of inputs. XXH3-128, 32 hex digits, the empty input included."""

from __future__ import annotations

from collections.abc import Iterable

import xxhash

from kahnd.core.model import Digest

_FIELD = "\0"


def of_bytes(content: bytes) -> Digest:
    """The hash of a file's bytes, or of any others."""
    return Digest(xxhash.xxh3_128_hexdigest(content))


def of_fields(fields: Iterable[str]) -> Digest:
    """The hash of a sequence of texts; the boundaries between them count."""
    hasher = xxhash.xxh3_128()
    for each in fields:
        encoded = each.encode("utf-8", "surrogateescape")
        hasher.update(f"{len(encoded)}{_FIELD}".encode())
        hasher.update(encoded)
    return Digest(hasher.hexdigest())


def of_recipe(*parts: str) -> Digest:
    """Everything but the inputs that decides a rendering: renderer, version, parameters, output path, plug-in."""
    return of_fields(("recipe", *parts))


def of_plain(content_hash: Digest, dependencies: Iterable[tuple[str, str, str]]) -> Digest:
    """A plain document's effective hash: its content and its own dependencies' (id, kind, hash); alone, its content."""
    listed = [field for each in sorted(dependencies) for field in each]
    return of_fields(("plain", content_hash, *listed)) if listed else content_hash


def of_inputs(recipe_hash: Digest, content_hash: Digest, dependencies: Iterable[tuple[str, str, str]]) -> Digest:
    """The verifying trace: recipe, content, and every dependency's (id, kind, hash), in an order of its own."""
    listed = [field for each in sorted(dependencies) for field in each]
    return of_fields(("inputs", recipe_hash, content_hash, *listed))


def of_members(members: Iterable[str]) -> Digest:
    """A collection's content: which documents are in it."""
    return of_fields(("members", *sorted(members)))
