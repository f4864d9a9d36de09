"""The SurrealQL of kahnd: all of it but the tables, which are in schema.surql.

Every query is one statement, and so one transaction. Its only parameter is `$payload`, JSON text, and it answers in
JSON text: the engine writes and reads JSON several times as fast as the SDK its own encoding. `$in.workspace` is
always there.

Edges are walked from the changed towards their dependents: every dependent of a dirty document is dirty, so work is
proportional to what is affected. A dirty document is never asked for its dependencies; an index over 10,000
documents has 10,000.
"""

# ruff: noqa: S608  what these strings are put together from is all in this file

from __future__ import annotations

from collections.abc import Container
from functools import cache
from typing import Final

from kahnd.core.model import CONTENT_KINDS, Facts

RECURSION_LIMIT: Final = 256
"""Levels the engine follows in one recursion; `{..256+collect}` stops there without a word."""

ROUNDS: Final = (1, 4, 16, 64, 256)
"""How many recursions a closure may be made of, tried in turn: graphs of 256, 1,024 … 65,536 levels."""

DEEPER: Final = "kahnd: deeper"
"""Thrown, and so everything undone, where the rounds given were too few."""

FACTS: Final = tuple(name for name in Facts.__struct_fields__ if name != "id")
"""A document's fields, in the order rows have them."""

_CONTENT: Final = sorted(kind.value for kind in CONTENT_KINDS)
_DEPENDENTS: Final = f"<-(depends_on WHERE kind NOT IN {_CONTENT})<-document"
_CONTENT_DEPENDENTS: Final = f"<-(depends_on WHERE kind IN {_CONTENT})<-document"
_ORDERED_DEPENDENCIES: Final = f"->(depends_on WHERE kind NOT IN {_CONTENT})->document"
_DEPENDENCIES: Final = "->depends_on->document"
_IN: Final = "LET $in = encoding::json::decode($payload); LET $w = $in.workspace;"


def _records(paths: str) -> str:
    return f"{paths}.map(|$path| document:[$w, $path])"


def _paths(records: str) -> str:
    return f"encoding::json::encode({records}.map(|$record| $record.id()[1]))"


def _union(left: str, right: str) -> str:
    """Not array::concat, which fails above 1 MiB (some 10,000 record ids)."""
    return f"array::distinct(array::flatten([{left}, {right}]))"


def _closure(name: str, start: str, step: str, rounds: int) -> str:
    """Define `$name`: the distinct records of `$start`, and all that `step` leads to from them.

    Each round continues from what the last one found, unless one step from there leads to nothing new. Mostly that need
    not be asked: a round that finds fewer records than a recursion has levels can't have been cut off, for one that is
    finds a new record on each level, since all within reach of earlier ones was found before. The rounds are written
    out because the engine recurses from an array as a whole only outside of closures and functions: inside, from each
    element anew.
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
    IF array::len($last{rounds}) > 0 {{ THROW '{DEEPER}' }};
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
"""What is written, in this order, each by the list of the payload that it takes; a statement has only what a call
needs, since the engine reads it anew each time: all of them take it 0.3 ms.

`first` are edges of documents that are new, and so are themselves; `add` may be there. An UPDATE takes half of what an
UPSERT of what is there takes, and a fifth of an INSERT ON DUPLICATE KEY UPDATE.
"""


def _write(parts: Container[str]) -> str:
    return "".join(surrealql for part, surrealql in _WRITES.items() if part in parts)


@cache
def propagate(parts: frozenset[str], rounds: int) -> str:
    """Facts, edges, and every transitive dependent DIRTY. Answers with the affected set's paths, but for the changed.

    `parts` are the lists that the payload has. Changed rows come with their status set, so they are not written twice,
    and not read. Edges go before the closure is made: who lost one is itself changed. Forgotten records go after it:
    their dependents are affected. A deleted record takes its edges with it.
    """
    content = f"array::flatten({_records('$in.content')}{_CONTENT_DEPENDENTS})"
    forget = f"DELETE {_records('$in.forget')} RETURN NONE;"
    return f"""{{
    {_IN}{_write(parts)}
    LET $changed = {_records("$in.changed")};
    LET $seeds = {_union("$changed", content) if "content" in parts else "$changed"};
    {_closure("reached", "$seeds", _DEPENDENTS, rounds)}
    LET $others = array::complement($reached, $changed);
    UPDATE $others SET status = 'DIRTY' WHERE status NOT IN ['DIRTY', 'MISSING'] RETURN NONE;
    {forget if "forget" in parts else ""}
    RETURN encoding::json::encode((SELECT VALUE id.id()[1] FROM $others WHERE status = 'DIRTY'));
}}"""


@cache
def commit(parts: frozenset[str]) -> str:
    """Results, their edges, the job history, a finished build's record; `parts` are the lists that the payload has."""
    return f"{{ {_IN}{_write(parts)} }}"


FRONTIER: Final = f"""{{
    {_IN}
    LET $dirty = {_records("$in.dirty")};
    LET $waiting = array::distinct(array::flatten($dirty{_DEPENDENTS}));
    RETURN {_paths("array::complement($dirty, $waiting)")};
}}"""
"""The next batch: those of the DIRTY documents that are nobody's ordered dependent among them."""


@cache
def subgraph(rounds: int) -> str:
    """The targets and all they need, content dependencies included."""
    return f"""{{
    {_IN}
    LET $targets = {_records("$in.targets")};
    {_closure("needed", "$targets", _DEPENDENCIES, rounds)}
    RETURN {_paths("$needed")};
}}"""


@cache
def cycle(rounds: int) -> str:
    """A shortest cycle's path, without its first member; or, where that may be too deep, the graph to search."""
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
"""So many documents' rows, by path, behind the path `$in.after`, which is null at the beginning.

No range of ids: the engine reads a range to its end whatever the limit. By this condition it passes over keys (2 per
µs) without reading what is behind them. All at once would take 5 KB of memory a row, which it does not give back.
"""

EDGES: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT VALUE
        [id.id()[1], id.id()[2], kind, line, position, hash, facets, sure]
        FROM depends_on:[$w, $in.first]..[$w, $in.last, ..]));
}}"""
"""The rows of all edges that begin at the documents from the path `$in.first` to `$in.last`; a document's together."""


@cache
def count(table: str) -> str:
    """How many records of a table the workspace has. Keys alone are read: some 60 ms for 100,000."""
    return f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT count() FROM {table}:[$w, NONE]..[$w, ..] GROUP ALL)[0].count ?? 0);
}}"""


RENDERS: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT * OMIT id FROM render:[$w, NONE]..[$w, ..]));
}}"""
"""The job history as `commit` takes it."""


def _newest(table: str, limit: str) -> str:
    """The newest of a workspace's records, whose ids begin with the time: the table is read backwards.

    A range of ids would be read to its end, whatever the limit.
    """
    own = f"id > {table}:[$w, NONE] AND id < {table}:[$w, ..]"
    return f"(SELECT * FROM {table} WHERE {own} ORDER BY id DESC LIMIT {limit})"


LAST_BUILD: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode((SELECT *, id.id()[2] AS id FROM {_newest("build", "1")}));
}}"""

_PAST: Final = """SELECT document, build, cause, status, started_at, duration_ms, error, reasons ?? [] AS reasons,
        chain ?? [] AS chain"""

HISTORY: Final = f"""{{
    {_IN}
    RETURN encoding::json::encode(({_PAST} FROM {_newest("render", "$in.limit")}));
}}"""
"""Past renders, newest first. 5 ms for 50 of 20,000."""

HISTORY_OF: Final = f"""{{
    {_IN}
    LET $document = $in.document;
    RETURN encoding::json::encode(({_PAST} FROM render WHERE workspace = $w AND document = $document
        ORDER BY started_at DESC LIMIT $in.limit));
}}"""
"""One document's past renders, newest first. The index is used where what is looked for is a variable of its own:
2 ms in a history of 20,000, and 700 without.
"""


@cache
def prune(table: str) -> str:
    """Forget all but the newest `$in.bound` of a table of the history, whose ids begin with the time. 300 ms."""
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
"""A deleted document takes its edges with it."""

SCHEMA_VERSION: Final = "RETURN $kahnd_schema"
"""None where the schema was never applied."""
