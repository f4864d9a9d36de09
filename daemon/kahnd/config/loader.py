"""Loads `kahnd.toml` and the environment into a frozen, validated Config, or raises a ConfigError with all problems."""

from __future__ import annotations

import os
import posixpath
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from kahnd.config.env_variables import PASSWORD, USER, Overrides, credentials_problem, read_overrides
from kahnd.config.folder_checks import (
    check_database,
    check_log,
    check_output,
    check_plugins,
    check_sources,
    path_inside,
)
from kahnd.config.serve_checks import check_serve
from kahnd.config.tables import (
    TABLES,
    LogTable,
    PluginsTable,
    PoolTable,
    ProjectTable,
    RendererSchema,
    ServeTable,
    StoreTable,
    Tables,
    WatchTable,
    read_rules,
)
from kahnd.config.validation import KeyPath, ProblemCollector, locate, nearest, to_struct
from kahnd.core.model import Problem
from kahnd.core.project_files import CONFIG_FILE, EMBEDDED, REMOTE, is_embedded, names_server
from kahnd.core.rules import Layout, PluginEnvironment
from kahnd.errors import ConfigError

_POSITION: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_SCHEME: Final = re.compile(r"[a-z0-9+.-]{1,20}")
_SCHEMES: Final = tuple(each.removesuffix("://") for each in (EMBEDDED, *REMOTE))
_EMBEDDED_NAME: Final = "kahnd"
"""The default name of an embedded database: it must stay the same if the project is renamed, or its folder moved."""
MAX_FILE_BYTES: Final = 1 << 20
MAX_KEY_PARTS: Final = 100


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """The database that stores the graph. User and password come from the environment alone, and are never shown."""

    url: str
    namespace: str
    database: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not appear in a log."""
        return (self.password,) if self.password else ()


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """The number of renderings at once, and limits of each in seconds and megabytes.

    `grace_s` is the time that renderings have to end when the daemon stops; `output_mb` limits each file they write.
    """

    workers: int
    timeout_s: float
    grace_s: float
    memory_mb: int
    output_mb: int


@dataclass(frozen=True, slots=True)
class Config:
    """A project as its `kahnd.toml` and the environment describe it; `root` is absolute.

    The layout's rules have no recipe yet; their `parameters` are the renderer's own struct. `source_lines` are the
    lines that name the source folders, 0 for those set by the environment.
    """

    root: Path
    file: Path
    name: str
    layout: Layout
    ignore: tuple[str, ...]
    store: StoreConfig
    watch: WatchTable
    pool: PoolConfig
    log: LogTable
    serve: ServeTable
    source_lines: tuple[int, ...]

    def missing_sources(self) -> tuple[Problem, ...]:
        """Return a problem for each source folder that is not there now.

        A daemon warns of them and goes on, since they may still appear.
        """
        placed = zip(self.layout.sources, self.source_lines, strict=True)
        return tuple(_missing(self.root, source, line) for source, line in placed if not _is_folder(self.root / source))


def load(root: Path, renderers: Mapping[str, RendererSchema], environ: Mapping[str, str]) -> Config:
    """Read the project's configuration. `root` is absolute; `renderers` are those that a rule may name.

    Raises ConfigError with all problems, in the order of their lines.
    """
    text = _read(root / CONFIG_FILE)
    document = _parse(text)
    overrides = read_overrides(environ)
    problems = ProblemCollector(_key_lines(text), overrides.variables, list(overrides.problems))
    values = _merge(document, overrides, problems)
    _check_tables(values, problems)
    check_serve(values["serve"], problems, named_host=("serve", "host") in overrides.values)
    _check_credentials(values["store"], overrides, environ, problems)
    rules = read_rules(document.get("rules", []), renderers, problems)
    problems.raise_any()
    tables = msgspec.convert(values, Tables)
    project = tables.project
    sources = tuple(folder for each in project.sources if (folder := path_inside(each)) is not None)
    name = project.name or root.name or "project"
    return Config(
        root=root,
        file=root / CONFIG_FILE,
        name=name,
        layout=Layout(
            sources,
            path_inside(project.output) or project.output,
            rules,
            _environment(tables.plugins, problems),
            project.drafts,
            last_change=project.last_change,
        ),
        ignore=project.ignore,
        store=_store_config(tables.store, name, environ),
        watch=tables.watch,
        pool=_pool_config(tables.pool),
        log=tables.log,
        serve=tables.serve,
        source_lines=tuple(problems.origin_line(("project", "sources", index)) for index in range(len(sources))),
    )


def log_config(root: Path, environ: Mapping[str, str]) -> LogTable:
    """Read the `[log]` table alone, or its defaults if it is unusable: a broken project has a log too."""
    try:
        document = _parse(_read(root / CONFIG_FILE))
    except ConfigError:
        document = {}
    values = _merge(document, read_overrides(environ), ProblemCollector())["log"]
    return to_struct(values, LogTable, ("log",), ProblemCollector()) or LogTable()


def _read(file: Path) -> str:
    try:
        return _content(file).decode("utf-8-sig")
    except FileNotFoundError:
        remedy = "`kahnd init` makes a small project to start from"
        raise ConfigError(Problem(f"there is no {CONFIG_FILE} in {file.parent}", remedy=remedy)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(Problem("this is not UTF-8", CONFIG_FILE, line, "save the file as UTF-8")) from None
    except OSError as error:
        raise ConfigError(Problem(f"can't be read: {error.strerror}", CONFIG_FILE)) from None


def _content(file: Path) -> bytes:
    """Read the file's bytes, without waiting if it is a named pipe. Raises ConfigError, or OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError(Problem("is no regular file", CONFIG_FILE, remedy="put a text file in its place"))
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(Problem(f"is larger than {MAX_FILE_BYTES >> 20} MiB", CONFIG_FILE, remedy="shorten it"))
    return content


def _parse(text: str) -> dict[str, Any]:
    _check_keys(text)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise ConfigError(_syntax_problem(str(error), text)) from None


def _check_keys(text: str) -> None:
    """Raise ConfigError for a key of very many parts: parsing takes time and memory in the square of their number."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_KEY_PARTS and line.partition("=")[0].partition("#")[0].count(".") > MAX_KEY_PARTS:
            message = f"a key has more than {MAX_KEY_PARTS} parts"
            raise ConfigError(Problem(message, CONFIG_FILE, number, "shorten the key"))


def _key_lines(text: str) -> Mapping[KeyPath, int]:
    try:
        return locate(text)
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> ConfigError:
    return ConfigError(Problem("lists or tables are nested too deeply", CONFIG_FILE))


def _syntax_problem(message: str, text: str) -> Problem:
    """Turn an error message of tomllib into a problem with its line."""
    position = _POSITION.search(message)
    words = _POSITION.sub("", message)
    column = f", at column {position[2]}" if position and position[2] else ""
    line = 0 if position is None else int(position[1]) if position[1] else text.rstrip().count("\n") + 1
    return Problem(f"broken TOML: {words[0].lower()}{words[1:]}{column}", CONFIG_FILE, line)


def _merge(document: Mapping[str, Any], overrides: Overrides, problems: ProblemCollector) -> dict[str, dict[str, Any]]:
    """Return the file's tables, with the environment's values in place of the file's."""
    for name in document.keys() - TABLES.keys() - {"rules"}:
        kind = "table" if isinstance(document[name], dict | list) else "key"
        problems.add((name,), f'unknown {kind} "{name}"', nearest(name, [*TABLES, "rules"]))
    merged = {name: _table(document, name, problems) for name in TABLES}
    for (table, key), value in overrides.values.items():
        merged[table][key] = value
    return merged


def _table(document: Mapping[str, Any], name: str, problems: ProblemCollector) -> dict[str, Any]:
    table = document.get(name, {})
    if isinstance(table, dict):
        return dict(table)
    problems.add((name,), f'"{name}" must be a table', f"write [{name}], and its keys below")
    return {}


def _check_tables(values: Mapping[str, dict[str, Any]], problems: ProblemCollector) -> None:
    structs = {name: to_struct(values[name], kind, (name,), problems) for name, kind in TABLES.items()}
    project, store, log = structs["project"], structs["store"], structs["log"]
    if isinstance(project, ProjectTable):
        check_sources(project, problems)
        check_output(project, problems)
    if isinstance(store, StoreTable):
        _check_url(store.url, problems)
    if isinstance(project, ProjectTable) and isinstance(store, StoreTable):
        check_database(store, project, problems)
    if isinstance(project, ProjectTable) and isinstance(log, LogTable):
        check_log(log, project, problems)
    if isinstance(plugins := structs["plugins"], PluginsTable):
        check_plugins(plugins, problems)


def _check_url(url: str, problems: ProblemCollector) -> None:
    """Check the URL's scheme. No message quotes the URL: it may hold a password."""
    scheme, separator, rest = url.partition("://")
    path: KeyPath = ("store", "url")
    if separator and _SCHEME.fullmatch(scheme) and scheme not in _SCHEMES:
        problems.add(path, f'store.url: unknown kind of store "{scheme}"', nearest(scheme, _SCHEMES))
    elif not separator or scheme not in _SCHEMES or not rest:
        problems.add(path, f"store.url must be {EMBEDDED}PATH, {' or '.join(f'{each}HOST' for each in REMOTE)}")
    elif "@" in rest.partition("/")[0] and not is_embedded(url):
        problems.add(path, "store.url must not hold a user or password", f"set {USER} and {PASSWORD} instead")


def _check_credentials(
    store: Mapping[str, Any], overrides: Overrides, environ: Mapping[str, str], problems: ProblemCollector
) -> None:
    """The password is not sent to a server that only `kahnd.toml` names."""
    path, url = ("store", "url"), store.get("url")
    if isinstance(url, str) and names_server(url):
        problem = credentials_problem(url, from_environment=path in overrides.values, environ=environ)
        if problem:
            problems.add(path, *problem)


def _environment(plugins: PluginsTable, problems: ProblemCollector) -> PluginEnvironment | None:
    if plugins.python is None:
        return None
    return PluginEnvironment(posixpath.normpath(plugins.python), problems.origin_line(("plugins", "python")))


def _store_config(store: StoreTable, project_name: str, environ: Mapping[str, str]) -> StoreConfig:
    return StoreConfig(
        url=store.url,
        namespace=store.namespace,
        database=store.database or (_EMBEDDED_NAME if is_embedded(store.url) else project_name),
        user=environ.get(USER) or None,
        password=environ.get(PASSWORD) or None,
    )


def _pool_config(pool: PoolTable) -> PoolConfig:
    return PoolConfig(
        workers=os.cpu_count() or 1 if pool.workers == "auto" else pool.workers,
        timeout_s=pool.timeout_s,
        grace_s=pool.grace_s,
        memory_mb=_half_of_memory_mb() if pool.memory_mb == "auto" else pool.memory_mb,
        output_mb=pool.output_mb,
    )


def _half_of_memory_mb() -> int:
    """Return half of the machine's memory in megabytes, whatever else runs there."""
    return (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2) >> 20


def _missing(root: Path, source: str, line: int) -> Problem:
    siblings = _folder_names((root / source).parent)
    remedy = nearest(Path(source).name, siblings, otherwise="make the folder, or take it out of project.sources")
    return Problem(f'the source folder "{source}" is missing', CONFIG_FILE, line, remedy)


def _is_folder(path: Path) -> bool:
    """Tell whether a folder is there and can be reached."""
    return os.path.isdir(path)  # noqa: PTH112 - which raises nothing


def _folder_names(parent: Path) -> list[str]:
    """Return the names of the folders in `parent`; none if it can't be read."""
    try:
        return [each.name for each in os.scandir(parent) if each.is_dir()]
    except OSError:
        return []
