"""The hashes that decide: of bytes, recipes and inputs (XXH3-128, 32 hex digits); and the edge hashes they are made of.

An *edge hash* is the text kept with an edge: the part of the target that the dependent's last good render used.
`<hash> <place>` where that is all of the target, `title=<hash>,text=<hash> <place>` where it is facets of it. The place
is the target's output path as URLs show it, empty where that does not matter. `<hash>,as=page` is an include without
its front matter. `output:site/a.pdf=<hash>,url:site/a.pdf=<place>` are facets of one of several outputs, whose path is
percent-encoded; `anchors:<hash>=present` is the facet of one id. A single word stands for a target that can't be used.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final
from urllib.parse import quote

import msgspec
import xxhash

from kahnd.core.model import Digest, DocumentId, Facet, Facts, OutputPath, Rendered
from kahnd.core.output_paths import HASH, ONE_ANCHOR, files_of, is_of
from kahnd.core.project_files import CACHES

Input = tuple[str, str, str]
"""A dependency's id, kind and edge hash; recipe and content have no id."""
ABSENT: Final = "missing"
PRESENT: Final = Digest("present")
"""The hash of something that is there and was not read."""
UNREADABLE: Final = "unreadable"
UNRENDERED: Final = "unrendered"
AS_PAGE: Final = ",as=page"
MAX_IDS: Final = 1000
"""The number of ids in a page up to which a link to one of them does not depend on the others."""
_ID_DIGITS: Final = 12
_WHOLE: Final = ""


def hash_bytes(content: bytes) -> Digest:
    """Hashes a file's bytes, or any others, the empty ones included."""
    return Digest(xxhash.xxh3_128_hexdigest(content))


def hash_text(text: str) -> Digest:
    """Hashes a text, lone surrogates included."""
    return hash_bytes(text.encode(errors="surrogatepass"))


def hash_fields(fields: Iterable[str]) -> Digest:
    """Hashes a sequence of texts; the boundaries between them count."""
    listed = list(fields)
    try:
        return hash_bytes(msgspec.msgpack.encode(listed))
    except UnicodeEncodeError:  # a lone surrogate
        return hash_bytes(msgspec.msgpack.encode([each.encode("utf-8", "surrogatepass") for each in listed]))


def hash_recipe(*parts: str) -> Digest:
    """Hashes what decides a rendering besides its inputs: renderer, version, parameters, output path, plug-in."""
    return hash_fields(("recipe", *parts))


def cache_folder(document: DocumentId) -> str:
    """Returns the project path of the folder that a document's program keeps between runs."""
    return f"{CACHES}/{hash_fields(('cache', document))}"


def hash_outputs(outputs: Iterable[tuple[OutputPath, Digest]]) -> Digest:
    """Hashes several outputs: their paths and their bytes."""
    return hash_fields(("outputs", *chain.from_iterable(outputs)))


def effective_hash(rendered: Rendered) -> Digest:
    """Returns the effective hash of what a rendering has made: of its output, or of all its outputs."""
    return hash_outputs(rendered.outputs) if rendered.outputs else rendered.output_hash


def hash_plain(content_hash: Digest, dependencies: Iterable[Input]) -> Digest:
    """Returns a plain document's effective hash: over content and dependencies, or its content hash if it has none."""
    listed = [field for each in sorted(dependencies) for field in each]
    return hash_fields(("plain", content_hash, *listed)) if listed else content_hash


def hash_members(members: Iterable[str]) -> Digest:
    """Hashes a collection's content: the documents in it."""
    return hash_fields(("members", *sorted(members)))


def trace_inputs(recipe_hash: str, content_hash: str, dependencies: Iterable[Input]) -> Iterator[Input]:
    """Yields everything that decides a rendering, in a fixed order, for `hash_inputs` or `compare_inputs`."""
    yield "", "recipe", recipe_hash
    yield "", "content", content_hash
    yield from sorted(dependencies)


def hash_inputs(inputs: Iterable[Input]) -> Digest:
    """Returns the verifying trace: a hash over recipe, content and every dependency."""
    return hash_fields(chain(("inputs",), chain.from_iterable(inputs)))


def compare_inputs(
    before: Iterable[Input], after: Iterable[Input]
) -> Iterator[tuple[str, str, str | None, str | None]]:
    """Yields each difference as (id, kind, before, after); there is none exactly if both have the same hash."""
    old, new = list(before), list(after)
    same = set(old).intersection(new)  # of thousands, all but a few
    then, now = ({each[:2]: each[2] for each in inputs if each not in same} for inputs in (old, new))
    for key in dict.fromkeys((*now, *then)):
        yield (*key, then.get(key), now.get(key))


def edge_hash(facts: Facts, place: str, used: Iterable[str], renderings: Iterable[OutputPath] = ()) -> str:
    """Returns the edge hash of the used facets of an existing document; one that can't be read has no facets.

    `renderings`: the outputs that the rules give it, if that facet is used.
    """
    if facts.content_hash is None:
        return UNREADABLE
    facets = sorted(used)
    found = ((each, _facet_hash(facts, each)) for each in facets if each not in {Facet.URL, Facet.RENDERINGS})
    named = [(Facet.RENDERINGS, hash_fields(renderings))] if Facet.RENDERINGS in facets else []
    hashes = ",".join(f"{_quoted(each)}={digest}" for each, digest in (*found, *named))
    return f"{hashes} {place}" if Facet.URL in facets else f"{hashes} "


def compare_edge_hashes(before: str | None, after: str | None) -> tuple[str | None, str | None, tuple[Facet, ...]]:
    """Returns the first hashes (or places) that differ, before and after, and all facets that differ."""
    then, now = _parts(before), _parts(after)
    differing = [key for key in dict.fromkeys((*now, *then)) if then.get(key) != now.get(key)]
    first = differing[0] if differing else _WHOLE
    whole = _WHOLE in then or _WHOLE in now or not then or not now
    facets = () if whole else dict.fromkeys(Facet(each.partition(":")[0]) for each in differing)
    return then.get(first), now.get(first), tuple(facets)


def hash_ids(ids: Collection[str]) -> str:
    """Returns the hashes of a page's ids, one after the other; empty if there are more than MAX_IDS."""
    return "".join(sorted(map(hash_id, ids))) if len(ids) <= MAX_IDS else ""


def hash_id(name: str) -> str:
    """Hashes an id, for `hash_ids` and as the name of a facet: whether a page has this one."""
    return xxhash.xxh3_64_hexdigest(name.encode(errors="surrogatepass"))[:_ID_DIGITS]


def _facet_hash(facts: Facts, facet: str) -> str | None:
    if facet == Facet.OUTPUT:  # of the first, so that a rule may get more outputs without a rendering
        return facts.output_hash
    if facet.startswith(ONE_ANCHOR):
        return _hash_of_anchor(facts, facet.removeprefix(ONE_ANCHOR))
    if ":" in facet:
        return _hash_of_output(facts, *facet.split(":", 1))
    return getattr(facts.facets, facet) if facts.facets else facts.content_hash


def _hash_of_anchor(facts: Facts, name: str) -> str | None:
    """Returns PRESENT if a page has this id; otherwise the hash of all, among which a similar one is looked for."""
    ids = facts.facets.ids if facts.facets else ""
    has_it = any(ids.startswith(name, start) for start in range(0, len(ids), _ID_DIGITS))
    return PRESENT if has_it else _facet_hash(facts, Facet.ANCHORS)


def _hash_of_output(facts: Facts, facet: str, path: str) -> str | None:
    """Returns the hash of one output, or of all in a folder; or, for its url, the path. None if there is none."""
    found = outputs_at(facts, path)
    if not found:
        return None
    if facet == Facet.URL:
        return quote(found[0][0] if HASH in path else path)
    return found[0][1] if found[0][0] == path or HASH in path else hash_outputs(found)


def outputs_at(facts: Facts, path: str) -> list[tuple[OutputPath, Digest]]:
    """Returns a document's output at a path, or those below it if it is a folder."""
    if HASH in path:
        return [(each, digest) for each, digest in files_of(facts) if digest and is_of(path, each)]
    below = f"{path.removesuffix('/')}/"
    return [(each, digest) for each, digest in files_of(facts) if digest and (each == path or each.startswith(below))]


def _quoted(facet: str) -> str:
    return quote(facet, safe="/:") if ":" in facet else facet


def _parts(text: str | None) -> Mapping[str, str]:
    """Splits an edge hash by facet; the hash of the whole has an empty name. Empty for an unusable target."""
    if text in {None, ABSENT, UNREADABLE, UNRENDERED}:
        return {}
    hashes, _, place = (text or "").partition(" ")
    named = dict(each.rpartition("=")[::2] for each in hashes.split(",")) if hashes else {}
    return named | ({Facet.URL: place} if place else {})
