"""What `kahnd.toml` may say, table by table: keys, types, ranges and defaults. All of config/ follows it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=7 * 86_400)]
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
Text = Annotated[str, Meta(min_length=1)]


class ProjectTable(Struct, frozen=True, kw_only=True):
    """What the project is and where its files are."""

    sources: tuple[Text, ...]
    name: Text | None = None
    output: Text = "site"
    ignore: tuple[Text, ...] = ()


class StoreTable(Struct, frozen=True, kw_only=True):
    """Where the graph is kept."""

    url: Text = "surrealkv://.kahnd/db"
    namespace: Text = "kahnd"
    database: Text | None = None


class WatchTable(Struct, frozen=True, kw_only=True):
    """How changes are noticed."""

    settle_ms: Milliseconds = 10
    rescan_s: Annotated[float, Meta(ge=0, le=7 * 86_400)] = 300
    polling: Literal["auto", "always", "never"] = "auto"
    events: Literal["auto", "inotify", "watchfiles"] = "auto"


class PoolTable(Struct, frozen=True, kw_only=True):
    """How many renderings run at once, for how long, and how much each may take and write."""

    workers: Annotated[int, Meta(ge=1, le=1024)] | Literal["auto"] = "auto"
    timeout_s: Seconds = 60
    grace_s: Annotated[float, Meta(ge=0, le=3600)] = 10
    memory_mb: Annotated[int, Meta(ge=256, le=1 << 24)] | Literal["auto"] = "auto"
    output_mb: Annotated[int, Meta(ge=1, le=1 << 24)] = 256


class LogTable(Struct, frozen=True, kw_only=True):
    """What is logged, how and where."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    file: Text = ".kahnd/log/kahnd.jsonl"


class RuleTable(Struct, frozen=True, kw_only=True):
    """The keys that every `[[rules]]` entry has; the others are its renderer's. Without `output`: the renderer's."""

    match: Text
    renderer: Text
    output: Text | None = None


TABLES: Final[dict[str, type[Struct]]] = {
    "project": ProjectTable,
    "store": StoreTable,
    "watch": WatchTable,
    "pool": PoolTable,
    "log": LogTable,
}
"""Every table but the list of rules."""


class Tables(Struct, frozen=True, kw_only=True):
    """The whole file but its rules, once every table has been checked."""

    project: ProjectTable
    store: StoreTable
    watch: WatchTable
    pool: PoolTable
    log: LogTable
