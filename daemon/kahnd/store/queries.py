"""All SurrealQL of kahnd except the tables, which are in schema.surql.

Every query is one statement, and so one transaction. Its only parameter is `$payload`, JSON text, and it returns JSON
text: the engine encodes and decodes JSON several times as fast as the SDK does its own format. `$in.workspace` is
always set.

Edges are followed from changed documents to their dependents: every dependent of a dirty document is dirty, so the
work is proportional to what is affected. The dependencies of a dirty document are never read; an index over 10,000
documents has 10,000 of them.
"""

# ruff: noqa: S608  these strings are composed of constants in this file alone

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from kahnd.core.model import CONTENT_KINDS, Facet, Facts, Kind

RECURSION_LIMIT: Final = 256
"""Levels that the engine follows in one recursion; `{..256+collect}` stops there without an error."""

ROUNDS: Final = (1, 4, 16, 64, 256)
"""Numbers of recursions to compute a closure with, tried in turn: for graphs of 256, 1,024 … 65,536 levels."""

MORE_ROUNDS: Final = "kahnd: deeper"
"""Thrown, which undoes the transaction, if the rounds were too few."""

FACETS: Final = (Facet.FRONT_MATTER, Facet.TEXT, Facet.TITLE)
"""The facets that a document's bytes have."""

FACTS: Final = tuple(name for name in Facts.__struct_fields__ if name != "id")
"""A document's fields, in the order of rows."""

_CONTENT: Final = sorted(kind.value for kind in CONTENT_KINDS)
_OF_BYTES: Final = sorted(kind.value for kind in CONTENT_KINDS - {Kind.LINK})
_LINK: Final = Kind.LINK.value
_DEPENDENTS: Final = f"<-(depends_on WHERE kind NOT IN {_CONTENT})<-document"
_ORDERED_DEPENDENCIES: Final = f"->(depends_on WHERE kind NOT IN {_CONTENT})->document"
_DEPENDENCIES: Final = f"->(depends_on WHERE kind != '{_LINK}')->document"
_IN: Final = "LET $in = encoding::json::decode($payload); LET $w = $in.workspace;"


def _content_dependents(part: str) -> str:
    """Return the step to the content dependents that a list of changed documents reaches."""
    if part == "linked":
        return f"<-(depends_on WHERE kind = '{_LINK}')<-document"
    used = {"content": "", "bytes": " AND facets IS NONE"}
    use = used.get(part, f" AND (facets IS NONE OR facets CONTAINS '{part}')")
    return f"<-(depends_on WHERE kind IN {_OF_BYTES}{use})<-document"


def _records(paths: str) -> str:
    return f"{paths}.map(|$path| document:[$w, $path])"


def _paths(records: str) -> str:
    return f"encoding::json::encode({records}.map(|$record| $record.id()[1]))"


def _union(left: str, right: str) -> str:
    """Return an expression for a union. Not array::concat, which fails above 1 MiB (about 10,000 record ids)."""
    return f"array::distinct(array::flatten([{left}, {right}]))"


def _closure(name: str, start: str, step: str, rounds: int) -> str:
    """Return statements that define `$name`: the distinct records of `$start`, and all reachable from them by `step`.

    Each round continues from the records that the last one added, unless one step from there adds nothing. Mostly that
    need not be tested: a round that is cut off adds a new record on each level, so a round that adds fewer records than
    a recursion has levels was not cut off. The rounds are unrolled because in closures and functions the engine
    recurses from each element of an array separately.
    """
    collect = f".{{..{RECURSION_LIMIT}+collect}}{step}"
    written = [f"LET $all0 = {start}; LET $last0 = {start};"]
    written += [
        f"""
    LET $new{n} = array::complement(array::distinct($last{n - 1}{collect}), $all{n - 1});
    LET $all{n} = array::flatten([$all{n - 1}, $new{n}]);
    LET $last{n} = IF array::len($new{n}) < {RECURSION_LIMIT}
        OR array::is_empty(array::complement(array::distinct(array::flatten($new{n}{step})), $all{n}))
        {{ [] }} ELSE {{ $new{n} }};"""
        for n in range(1, rounds + 1)
    ]
    return (
        "".join(written)
        + f"""
    IF array::len($last{rounds}) > 0 {{ THROW '{MORE_ROUNDS}' }};
    LET ${name} = $all{rounds};"""
    )


def _edge_records(rows: str) -> str:
    return f"""{rows}.map(|$edge| {{
        id: [$w, $edge[0], $edge[1], $edge[2]],
        in: document:[$w, $edge[0]], out: document:[$w, $edge[1]],
        kind: $edge[2], line: $edge[3], hash: $edge[4] ?? NONE, facets: $edge[5] ?? NONE, sure: $edge[6],
        position: $edge[7]
    }})"""


_WRITES: Final = {
    "expected": """
    INSERT IGNORE INTO document $in.expected.map(|$path| {
        id: [$w, $path], workspace: $w, status: 'MISSING'
    }) RETURN NONE;""",
    "known": """
    FOR $row IN $in.known { UPDATE document:[$w, $row.path] CONTENT $row.facts RETURN NONE };""",
    "rows": """
    FOR $row IN $in.rows { UPSERT document:[$w, $row.path] CONTENT $row.facts RETURN NONE };""",
    "drop": """
    FOR $edge IN $in.drop {
        DELETE depends_on:[$w, $edge[0], $edge[1], NONE]..[$w, $edge[0], $edge[1], ..] RETURN NONE
    };""",
    "first": f"""
    INSERT RELATION IGNORE INTO depends_on {_edge_records("$in.first")} RETURN NONE;""",
    "add": f"""
    INSERT RELATION INTO depends_on {_edge_records("$in.add")} ON DUPLICATE KEY UPDATE
        line = $input.line, hash = $input.hash, facets = $input.facets, sure = $input.sure RETURN NONE;""",
    "mark": """
    FOR $edge IN $in.mark {
        UPDATE depends_on:[$w, $edge[0], $edge[1], $edge[2]]
            SET line = $edge[3], hash = $edge[4] ?? NONE, facets = $edge[5] ?? NONE, sure = $edge[6] RETURN NONE
    };""",
    "renders": """
    INSERT IGNORE INTO render $in.renders.map(|$each| $each.extend({
        id: [$w, $each.started_at, $each.build, $each.document]
    })) RETURN NONE;""",
    "build": """
    UPSERT build:[$w, $in.build.started_at, $in.id] CONTENT $in.build RETURN NONE;""",
}
"""The writes in their order, each named after the list of the payload that it takes.

A query has only the writes that a call needs, since the engine parses it each time: all of them take it 0.3 ms.
`first` are edges of new documents, which can't exist yet; those of `add` may exist. An UPDATE takes half the time of an
UPSERT of an existing record, and a fifth of an INSERT ON DUPLICATE KEY UPDATE.
"""


def _write(parts: Container[str]) -> str:
    return "".join(surrealql for part, surrealql in _WRITES.items() if part in parts)


@cache
def propagate(parts: frozenset[str], rounds: int) -> str:
    """Write facts and edges, and mark every transitive dependent DIRTY; returns the affected paths but the changed.

    `parts` are the lists that the payload has. Of documents in the list of a facet, only those content dependents are
    affected that use this facet, or of which it is not known; of those in `bytes`, in none of whose facets anything has
    changed, only the latter. Changed rows come with their status set, so they are
    written once, and not read. Edges are dropped before the closure is computed: a document that lost one is itself
    changed. Forgotten records are deleted after it: their dependents are affected. Deleting a record deletes its edges.
    """
    seeds = "$changed"
    for part in ("content", "bytes", *FACETS, "linked"):
        if part in parts:
            seeds = _union(seeds, f"array::flatten({_records(f'$in.{part}')}{_content_dependents(part)})")
    forget = f"DELETE {_records('$in.forget')} RETURN NONE;"
    return f"""{{
    {_IN}{_write(parts)}
    LET $changed = {_records("$in.changed")};
    LET $seeds = {seeds};
    {_closure("reached", "$seeds", _DEPENDENTS, rounds)}
    LET $others = array::complement($reached, $changed);
    UPDATE $others SET status = 'DIRTY' WHERE status NOT IN ['DIRTY', 'MISSING'] RETURN NONE;
    {forget if "forget" in parts else ""}
    RETURN encoding::json::encode((SELECT VALUE id.id()[1] FROM $others WHERE status = 'DIRTY'));
}}"""


@cache
def commit(parts: frozenset[str]) -> str:
    """Write results, edges, job history and a finished build; `parts` are the lists that the payload has."""
    return f"{{ {_IN}{_write(parts)} }}"


FRONTIER: Final = f"""{{
    {_IN}
    LET $dirty = {_records("$in.dirty")};
    LET $waiting = array::distinct(array::flatten($dirty{_DEPENDENTS}));
    RETURN {_paths("array::complement($dirty, $waiting)")};
}}"""
"""Of the DIRTY documents `$in.dirty`, those that need no other one of them finished first."""


@cache
def subgraph(rounds: int) -> str:
    """Return the targets and all they need, content dependencies included. A link needs nothing of what it leads to."""
    return f"""{{
    {_IN}
    LET $targets = {_records("$in.targets")};
    {_closure("needed", "$targets", _DEPENDENCIES, rounds)}
    RETURN {_paths("$needed")};
}}"""


@cache
def cycle(rounds: int) -> str:
    """Return a shortest cycle without its first member; or, if that may be too deep, the graph to search for it."""
    return f"""{{
    {_IN}
    LET $member = document:[$w, $in.member];
    LET $members = [$member];
    {_closure("needed", "$members", _ORDERED_DEPENDENCIES, rounds)}
    RETURN encoding::json::encode(IF array::len($needed) < {RECURSION_LIMIT} {{
        {{ path: ($member.{{..+shortest=$member}}{_ORDERED_DEPENDENCIES} ?? []).map(|$each| $each.id()[1]) }}
    }} ELSE {{
        {{ edges: (SELECT VALUE [id.id()[1], {_ORDERED_DEPENDENCIES}.map(|$each| $each.id()[1])] FROM $needed) }}
    }});
}}"""


DOCUMENTS: Final = f"""{{
    {_IN}
    LET $after = document:[$w, $in.after];
    LET $end = document:[$w, ..];
    RETURN encoding::json::encode((SELECT VALUE [id.id()[1], {", ".join(FACTS)}] FROM document
        WHERE id > $after AND id < $end LIMIT $in.limit));
}}"""
"""One page of documents by path, after the path `$in.after`, which is null for the first page.

Not by a range of ids: the engine reads a range to its end whatever the limit. With this condition it skips keys (2 per
µs) without reading their records. Reading all at once would take 5 KB of memory per row, which it does not give back.
"""

EDGES: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT VALUE
        [id.id()[1], id.id()[2], kind, line, position, hash, facets, sure]
        FROM depends_on:[$w, $in.first]..[$w, $in.last, ..]));
}}"""
"""All edges that begin at documents from the path `$in.first` to `$in.last`, grouped by document."""


@cache
def count(table: str) -> str:
    """Count the workspace's records in a table. Only keys are read: about 60 ms for 100,000."""
    return f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT count() FROM {table}:[$w, NONE]..[$w, ..] GROUP ALL)[0].count ?? 0);
}}"""


RENDERS: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT * OMIT id FROM render:[$w, NONE]..[$w, ..]));
}}"""
"""The job history, in the form that `commit` takes."""


def _newest(table: str, limit: str) -> str:
    """Return a query for a workspace's newest records, whose ids begin with the time: it reads the table backwards.

    A range of ids would be read to its end whatever the limit.
    """
    own = f"id > {table}:[$w, NONE] AND id < {table}:[$w, ..]"
    return f"(SELECT * FROM {table} WHERE {own} ORDER BY id DESC LIMIT {limit})"


BUILDS: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT *, id.id()[2] AS id FROM {_newest("build", "$in.limit")}));
}}"""
"""Finished builds, newest first."""

_PAST: Final = """SELECT document, build, cause, status, started_at, duration_ms, error, reasons ?? [] AS reasons,
        chain ?? [] AS chain"""

HISTORY: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode(({_PAST} FROM {_newest("render", "$in.limit")}));
}}"""
"""Past renders, newest first. 5 ms for 50 of 20,000."""

RENDERS_OF: Final = f"""{{
    {_IN}
    LET $build = $in.build;
    RETURN encoding::json::encode((SELECT document, build, cause, status, started_at, duration_ms, error, timing
        FROM render:[$w, $in.first]..[$w, $in.last] WHERE build = $build));
}}"""
"""The renders of one build, of those that began from `$in.first` until `$in.last`, without their reasons."""

HISTORY_OF: Final = f"""{{
    {_IN}
    LET $document = $in.document;
    RETURN encoding::json::encode(({_PAST} FROM render WHERE workspace = $w AND document = $document
        ORDER BY started_at DESC LIMIT $in.limit));
}}"""
"""One document's past renders, newest first. The engine uses the index only if the value is a variable of its own: 2 ms
in a history of 20,000, and 700 without the index.
"""


@cache
def prune(table: str) -> str:
    """Delete all but the newest `$in.bound` records of a history table. Takes 300 ms."""
    records = f"{table}:[$w, NONE]..[$w, ..]"
    return f"""{{
    {_IN}
    LET $first = (SELECT VALUE id FROM {records} ORDER BY id DESC LIMIT 1 START $in.bound - 1)[0];
    IF $first {{ LET $id = $first.id(); DELETE {table}:[$w, NONE]..[$w, $id[1]] RETURN NONE }};
}}"""


CLEAR: Final = f"""{{
    {_IN}
    DELETE document:[$w, NONE]..[$w, ..] RETURN NONE;
    DELETE render:[$w, NONE]..[$w, ..] RETURN NONE;
    DELETE build:[$w, NONE]..[$w, ..] RETURN NONE;
}}"""
"""Deleting a document deletes its edges."""

SCHEMA_VERSION: Final = 13
"""The version of schema.surql."""

READ_SCHEMA_VERSION: Final = "RETURN $kahnd_schema"
"""NONE if the schema was never applied."""


@dataclass(frozen=True, slots=True)
class Migration:
    """From version `since` to the next one, in one transaction, after `schema.surql` has defined what is new."""

    since: int
    surrealql: str

    @property
    def transaction(self) -> str:
        """One statement that ends by setting the new version."""
        return f"{{ {self.surrealql} DEFINE PARAM OVERWRITE $kahnd_schema VALUE {self.since + 1}; }}"


_KINDS: Final = f"DEFINE FIELD OVERWRITE kind ON depends_on TYPE {' | '.join(repr(each.value) for each in Kind)};"
_DELETE_DERIVED: Final = "DELETE depends_on RETURN NONE; DELETE document RETURN NONE;"

MIGRATIONS: Final = (
    Migration(
        2,
        f"""{_DELETE_DERIVED}
        UPDATE render SET reasons = (reasons ?? []).map(|$each| array::push(array::slice($each, 0, 4), []))
            RETURN NONE;""",
    ),
    Migration(3, ""),  # adds the duration of renderings, which is known after the next one
    Migration(
        4,
        """REMOVE INDEX IF EXISTS by_time ON render; REMOVE INDEX IF EXISTS by_time ON build;
        REMOVE INDEX IF EXISTS by_status ON document;""",
    ),  # no query uses them
    Migration(5, ""),  # adds the limits of failed renderings, which are known after the next failure
    Migration(6, _KINDS),
    Migration(
        7, "UPDATE document SET problem = IF problem { array::push(problem, 0) } ELSE { NONE } RETURN NONE;"
    ),  # adds the columns of problems; and warnings, which are known after the next rendering
    Migration(8, ""),  # adds the outputs of documents that have several, which no earlier version made
    Migration(9, ""),  # adds when pages appear: their recipe is new, so they are scanned again
    Migration(10, ""),  # adds routes: the recipe of pages is new, so they are scanned again
    Migration(11, _KINDS),  # adds generated documents, which no earlier version made
    Migration(12, ""),  # adds the timing of renders, which is known of those that follow
)
"""In order; a database of an older version is started over.

Only the history, which can't be derived again, is carried over. Documents and edges may be deleted: the next scan finds
the documents as new.
"""


def migrations_between(
    found: int, wanted: int, migrations: Sequence[Migration] = MIGRATIONS
) -> tuple[Migration, ...] | None:
    """Return the migrations from one version to another, in order; None if they do not lead there."""
    steps = tuple(each for each in migrations if found <= each.since < wanted)
    is_complete = found <= wanted and [each.since for each in steps] == list(range(found, wanted))
    return steps if is_complete else None
