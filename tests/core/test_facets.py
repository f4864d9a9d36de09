"""What is told of two texts that a rendering hung on, before and after."""

from __future__ import annotations

import pytest

from kahnd.core.facets import ABSENT, UNREADABLE, UNRENDERED, compare
from kahnd.core.model import Facet


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("11", "22", ("11", "22", ())),
        ("11 site/a.html", "22 site/a.html", ("11", "22", ())),
        ("11 site/a.html", "11 site/b.html", ("site/a.html", "site/b.html", ())),
        ("title=11 ", "title=22 ", ("11", "22", (Facet.TITLE,))),
        ("text=11,title=1 ", "text=22,title=2 ", ("11", "22", (Facet.TEXT, Facet.TITLE))),
        ("text=11,title=1 ", "text=11,title=2 ", ("1", "2", (Facet.TITLE,))),
        ("title=1 site/a.html", "title=1 site/b,c=d.html", ("site/a.html", "site/b,c=d.html", (Facet.URL,))),
        (ABSENT, "title=1 site/a.html", (None, "1", ())),
        ("title=1 ", None, ("1", None, ())),
        ("11", UNREADABLE, ("11", None, ())),
        ("output=11 ", UNRENDERED, ("11", None, ())),
        (None, "11 ", (None, "11", ())),
    ],
)
def test_hashes_are_told_and_places_where_only_these_differ(
    before: str | None, after: str | None, told: tuple[str | None, str | None, tuple[Facet, ...]]
) -> None:
    assert compare(before, after) == told
