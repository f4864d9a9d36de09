"""The one frozen value that a `kahnd.toml` is parsed into."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from kahnd.config.faults import nearest
from kahnd.config.places import CONFIG_FILE
from kahnd.config.tables import LogTable, WatchTable
from kahnd.core.model import Problem
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
    """How many renderings run at once, and how many seconds and megabytes each may take at the most.

    `grace_s` is how many seconds they have to end when the daemon ends; `output_mb` bounds each file that they write.
    """

    workers: int
    timeout_s: float
    grace_s: float
    memory_mb: int
    output_mb: int


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

    source_lines: tuple[int, ...]

    def missing_sources(self) -> tuple[Problem, ...]:
        """The source folders that are not there now, with their lines (0: set by the environment).

        A daemon goes on with a warning, since they may still come.
        """
        placed = zip(self.layout.sources, self.source_lines, strict=True)
        return tuple(_missing(self.root, source, line) for source, line in placed if not _is_there(self.root / source))


def _missing(root: Path, source: str, line: int) -> Problem:
    folders = _folders((root / source).parent)
    remedy = nearest(Path(source).name, folders, otherwise="make the folder, or take it out of project.sources")
    return Problem(f'the source folder "{source}" is missing', CONFIG_FILE, line, remedy)


def _is_there(folder: Path) -> bool:
    """One that is out of reach is as good as missing."""
    return os.path.isdir(folder)  # noqa: PTH112 - which raises nothing


def _folders(place: Path) -> list[str]:
    """The names of the folders there; none where it can't be told."""
    try:
        return [each.name for each in os.scandir(place) if each.is_dir()]
    except OSError:
        return []
