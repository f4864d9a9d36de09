"""The one frozen value that a `kahnd.toml` is parsed into."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kahnd.config.tables import LogTable, WatchTable
from kahnd.core.rules import Layout

LogConfig = LogTable
WatchConfig = WatchTable


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the graph is kept. User and password come from the environment alone, and are never shown."""

    url: str
    namespace: str
    database: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log line may hold."""
        return (self.password,) if self.password else ()


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """How many renderings run at once, and for how many seconds each at most."""

    workers: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Config:
    """A project as its `kahnd.toml` and the environment describe it; `root` is absolute.

    The layout's rules have no recipe yet, and `parameters` is the renderer's own struct.
    """

    root: Path
    file: Path
    name: str
    layout: Layout
    ignore: tuple[str, ...]
    store: StoreConfig
    watch: WatchConfig
    pool: PoolConfig
    log: LogConfig

    def missing_sources(self) -> tuple[str, ...]:
        """The source folders that are not there now: worth a warning, no error, since they may still come."""
        return tuple(source for source in self.layout.sources if not (self.root / source).is_dir())
