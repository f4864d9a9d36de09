"""The hashes that decide: of bytes, of recipes, of inputs. XXH3-128, 32 hex digits, the empty input included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import msgspec
import xxhash

from kahnd.core.model import Digest

Input = tuple[str, str, str]
"""A dependency's id, kind and hash; recipe and content have no id."""


def of_bytes(content: bytes) -> Digest:
    """The hash of a file's bytes, or of any others."""
    return Digest(xxhash.xxh3_128_hexdigest(content))


def of_fields(fields: Iterable[str]) -> Digest:
    """The hash of a sequence of texts; the boundaries between them count."""
    listed = list(fields)
    try:
        return of_bytes(msgspec.msgpack.encode(listed))
    except UnicodeEncodeError:  # half a character
        return of_bytes(msgspec.msgpack.encode([each.encode("utf-8", "surrogatepass") for each in listed]))


def of_recipe(*parts: str) -> Digest:
    """Everything but the inputs that decides a rendering: renderer, version, parameters, output path, plug-in."""
    return of_fields(("recipe", *parts))


def of_plain(content_hash: Digest, dependencies: Iterable[tuple[str, str, str]]) -> Digest:
    """A plain document's effective hash: its content and its own dependencies' (id, kind, hash); alone, its content."""
    listed = [field for each in sorted(dependencies) for field in each]
    return of_fields(("plain", content_hash, *listed)) if listed else content_hash


def inputs(recipe_hash: str, content_hash: str, dependencies: Iterable[Input]) -> Iterator[Input]:
    """The walk over all that decides a rendering, in an order of its own: for `of_inputs`, or for `explain`."""
    yield "", "recipe", recipe_hash
    yield "", "content", content_hash
    yield from sorted(dependencies)


def of_inputs(walk: Iterable[Input]) -> Digest:
    """The verifying trace: recipe, content, and every dependency."""
    return of_fields(chain(("inputs",), chain.from_iterable(walk)))


def explain(before: Iterable[Input], after: Iterable[Input]) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Where two walks differ, as (id, kind, before, after): nowhere exactly if their hashes are the same."""
    old, new = list(before), list(after)
    same = set(old).intersection(new)  # of thousands, all but a few
    then, now = ({each[:2]: each[2] for each in walk if each not in same} for walk in (old, new))
    for key in dict.fromkeys((*now, *then)):
        yield (*key, then.get(key), now.get(key))


def of_members(members: Iterable[str]) -> Digest:
    """A collection's content: which documents are in it."""
    return of_fields(("members", *sorted(members)))
