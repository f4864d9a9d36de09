"""What a rendering hangs on, as the text kept with its edge: a hash, or one for each facet used, and a place.

`<hash> <place>` where all of a document counts, `title=<hash>,text=<hash> <place>` where facets do; the place is
where it renders to, empty where that does not count. `<hash>,as=page` is an include without its front matter. One word
where there is nothing to use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from kahnd.core.model import Facet, Facts, OutputPath

ABSENT: Final = "missing"
UNREADABLE: Final = "unreadable"
UNRENDERED: Final = "unrendered"
AS_PAGE: Final = ",as=page"
_WHOLE: Final = ""


def of_facets(facts: Facts, place: OutputPath | None, used: Iterable[Facet]) -> str:
    """Of an existing document, what these facets are now. One that can't be read has none."""
    if facts.content_hash is None:
        return UNREADABLE
    facets = sorted(used)
    hashes = ",".join(f"{each}={_hash_of(facts, each)}" for each in facets if each is not Facet.URL)
    return f"{hashes} {place or ''}" if Facet.URL in facets else f"{hashes} "


def _hash_of(facts: Facts, facet: Facet) -> str | None:
    if facet is Facet.OUTPUT:
        return facts.effective_hash
    return getattr(facts.facets, facet) if facts.facets else facts.content_hash


def compare(before: str | None, after: str | None) -> tuple[str | None, str | None, tuple[Facet, ...]]:
    """What to tell of two such texts: the hashes (or places) before and after, and the facets that differ."""
    then, now = _parts(before), _parts(after)
    differing = [key for key in dict.fromkeys((*now, *then)) if then.get(key) != now.get(key)]
    first = differing[0] if differing else _WHOLE
    whole = _WHOLE in then or _WHOLE in now or not then or not now
    return then.get(first), now.get(first), () if whole else tuple(map(Facet, differing))


def _parts(text: str | None) -> Mapping[str, str]:
    """By facet; the hash of the whole has no name. Empty for what is not there, or can't be used."""
    if text in {None, ABSENT, UNREADABLE, UNRENDERED}:
        return {}
    hashes, _, place = (text or "").partition(" ")
    named = dict(each.rpartition("=")[::2] for each in hashes.split(",")) if hashes else {}
    return named | ({Facet.URL: place} if place else {})
