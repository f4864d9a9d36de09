"""The ways from earlier schema versions to the next.

Only what can't be derived again is carried over: the history. Documents and edges of another version are forgotten,
and the first look finds them as new.
"""

# ruff: noqa: S608  what these strings are put together from is all in this file

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Migration:
    """From version `since` to the next, whole or not at all; run where `schema.surql` has defined what is new."""

    since: int
    surrealql: str

    @property
    def transaction(self) -> str:
        """One statement, and so one transaction, that ends with the version it leads to."""
        return f"{{ {self.surrealql} DEFINE PARAM OVERWRITE $kahnd_schema VALUE {self.since + 1}; }}"


_DERIVED: Final = "DELETE depends_on RETURN NONE; DELETE document RETURN NONE;"

MIGRATIONS: Final = (
    Migration(
        2,
        f"""{_DERIVED}
        UPDATE render SET reasons = (reasons ?? []).map(|$each| array::push(array::slice($each, 0, 4), []))
            RETURN NONE;""",
    ),
    Migration(3, ""),  # what documents took: known when they are rendered next
    Migration(
        4,
        """REMOVE INDEX IF EXISTS by_time ON render; REMOVE INDEX IF EXISTS by_time ON build;
        REMOVE INDEX IF EXISTS by_status ON document;""",
    ),  # nothing is looked up by them
)
"""In order. A version that none of them leads on from is begun anew."""


def way(found: int, wanted: int, migrations: Sequence[Migration] = MIGRATIONS) -> tuple[Migration, ...] | None:
    """The migrations from the version found to the one wanted, in order; None where they do not lead there."""
    steps = tuple(each for each in migrations if found <= each.since < wanted)
    leads = found <= wanted and [each.since for each in steps] == list(range(found, wanted))
    return steps if leads else None
