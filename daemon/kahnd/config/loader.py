"""`kahnd.toml` and the environment → one frozen, validated Config, or a ConfigError with everything that is wrong."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from kahnd.config.convert import to_struct
from kahnd.config.credentials import PASSWORD, USER, refusal
from kahnd.config.environment import Overrides, overrides
from kahnd.config.faults import Faults, nearest
from kahnd.config.folders import check_database, check_log, check_output, check_sources
from kahnd.config.locate import KeyPath, locate
from kahnd.config.places import CONFIG_FILE, inside
from kahnd.config.rules import read_rules
from kahnd.config.schema import RendererSchema
from kahnd.config.tables import TABLES, LogTable, ProjectTable, StoreTable, Tables
from kahnd.config.values import Config, PoolConfig, StoreConfig
from kahnd.core.model import Problem
from kahnd.core.rules import Layout, Rule
from kahnd.errors import ConfigError

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_SCHEME: Final = re.compile(r"[a-z0-9+.-]{1,20}")
_EMBEDDED: Final = "surrealkv"
_SCHEMES: Final = (_EMBEDDED, "ws", "wss")
_OWN_DATABASE: Final = "kahnd"
LARGEST: Final = 1 << 20
"""Bytes of a kahnd.toml."""
MOST_PARTS: Final = 100
"""Of a dotted key."""


def load(root: Path, renderers: Mapping[str, RendererSchema], environ: Mapping[str, str]) -> Config:
    """Read the project's configuration. `root` is absolute; `renderers` are those a rule may name.

    Raises ConfigError with all problems found, in the order of their lines.
    """
    text = _read(root / CONFIG_FILE)
    document = _parse(text)
    settings = overrides(environ)
    faults = Faults(_lines(text), settings.variables, list(settings.problems))
    given = _merged(document, settings, faults)
    _check_tables(given, faults)
    _check_credentials(given["store"], settings, environ, faults)
    rules = read_rules(document.get("rules", []), renderers, faults)
    faults.raise_any()
    tables = msgspec.convert(given, Tables)
    lines = tuple(faults.origin_line(("project", "sources", index)) for index in range(len(tables.project.sources)))
    return _config(root, tables, rules, environ, lines)


def log_config(root: Path, environ: Mapping[str, str]) -> LogTable:
    """The `[log]` table alone, or its defaults where it can't be used: even a broken project has a log."""
    try:
        document = _parse(_read(root / CONFIG_FILE))
    except ConfigError:
        document = {}
    given = _merged(document, overrides(environ), Faults())["log"]
    return to_struct(given, LogTable, ("log",), Faults()) or LogTable()


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
    """The file's bytes. Never waits, as a named pipe would have it. Raises ConfigError, or OSError."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError(Problem("is no regular file", CONFIG_FILE, remedy="put a text file in its place"))
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ConfigError(Problem(f"is larger than {LARGEST >> 20} MiB", CONFIG_FILE, remedy="shorten it"))
    return content


def _parse(text: str) -> dict[str, Any]:
    _check_keys(text)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise ConfigError(_broken(str(error), text)) from None


def _check_keys(text: str) -> None:
    """Raise ConfigError for a key of very many parts: parsing takes time and memory in the square of their number."""
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MOST_PARTS and line.partition("=")[0].partition("#")[0].count(".") > MOST_PARTS:
            message = f"a key has more than {MOST_PARTS} parts"
            raise ConfigError(Problem(message, CONFIG_FILE, number, "shorten the key"))


def _lines(text: str) -> Mapping[KeyPath, int]:
    try:
        return locate(text)
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> ConfigError:
    return ConfigError(Problem("lists or tables are nested too deeply", CONFIG_FILE))


def _broken(message: str, text: str) -> Problem:
    """The words of tomllib, with the place taken out of them."""
    place = _PLACE.search(message)
    said = _PLACE.sub("", message)
    column = f", at column {place[2]}" if place and place[2] else ""
    line = 0 if place is None else int(place[1]) if place[1] else text.rstrip().count("\n") + 1
    return Problem(f"broken TOML: {said[0].lower()}{said[1:]}{column}", CONFIG_FILE, line)


def _merged(document: Mapping[str, Any], settings: Overrides, faults: Faults) -> dict[str, dict[str, Any]]:
    """The tables of the file with the environment's values over them."""
    for name in document.keys() - TABLES.keys() - {"rules"}:
        what = "table" if isinstance(document[name], dict | list) else "key"
        faults.add((name,), f'unknown {what} "{name}"', nearest(name, [*TABLES, "rules"]))
    merged = {name: _table(document, name, faults) for name in TABLES}
    for (table, key), value in settings.values.items():
        merged[table][key] = value
    return merged


def _table(document: Mapping[str, Any], name: str, faults: Faults) -> dict[str, Any]:
    table = document.get(name, {})
    if isinstance(table, dict):
        return dict(table)
    faults.add((name,), f'"{name}" must be a table', f"write [{name}], and its keys below")
    return {}


def _check_tables(given: Mapping[str, dict[str, Any]], faults: Faults) -> None:
    structs = {name: to_struct(given[name], kind, (name,), faults) for name, kind in TABLES.items()}
    project, store, log = structs["project"], structs["store"], structs["log"]
    if isinstance(project, ProjectTable):
        check_sources(project, faults)
        check_output(project, faults)
    if isinstance(store, StoreTable):
        _check_url(store.url, faults)
    if isinstance(project, ProjectTable) and isinstance(store, StoreTable):
        check_database(store, project, faults)
    if isinstance(project, ProjectTable) and isinstance(log, LogTable):
        check_log(log, project, faults)


def _check_url(url: str, faults: Faults) -> None:
    """Never tells the URL itself: it may hold a password."""
    scheme, found, rest = url.partition("://")
    if found and _SCHEME.fullmatch(scheme) and scheme not in _SCHEMES:
        faults.add(("store", "url"), f'store.url: unknown kind of store "{scheme}"', nearest(scheme, _SCHEMES))
    elif not found or scheme not in _SCHEMES or not rest:
        faults.add(("store", "url"), "store.url must be surrealkv://PATH, ws://HOST or wss://HOST")
    elif "@" in rest.partition("/")[0] and scheme != _EMBEDDED:
        faults.add(("store", "url"), "store.url must not hold a user or password", f"set {USER} and {PASSWORD} instead")


def _check_credentials(
    store: Mapping[str, Any], settings: Overrides, environ: Mapping[str, str], faults: Faults
) -> None:
    """Whoever wrote kahnd.toml gets no password for it."""
    url = store.get("url")
    if isinstance(url, str) and url.startswith(("ws://", "wss://")):
        refused = refusal(url, named=("store", "url") in settings.values, environ=environ)
        if refused:
            faults.add(("store", "url"), *refused)


def _config(
    root: Path, tables: Tables, rules: tuple[Rule, ...], environ: Mapping[str, str], source_lines: tuple[int, ...]
) -> Config:
    project, store, pool = tables.project, tables.store, tables.pool
    name = project.name or root.name or "project"
    sources = tuple(folder for each in project.sources if (folder := inside(each)) is not None)
    return Config(
        root=root,
        file=root / CONFIG_FILE,
        name=name,
        layout=Layout(sources, inside(project.output) or project.output, rules),
        ignore=project.ignore,
        store=StoreConfig(
            url=store.url,
            namespace=store.namespace,
            # One of the project's own must be found again when the project is renamed, or its folder moved.
            database=store.database or (_OWN_DATABASE if store.url.startswith(f"{_EMBEDDED}://") else name),
            user=environ.get(USER) or None,
            password=environ.get(PASSWORD) or None,
        ),
        watch=tables.watch,
        pool=PoolConfig(
            os.cpu_count() or 1 if pool.workers == "auto" else pool.workers,
            pool.timeout_s,
            pool.grace_s,
            _half_of_the_memory() if pool.memory_mb == "auto" else pool.memory_mb,
            pool.output_mb,
        ),
        log=tables.log,
        source_lines=source_lines,
    )


def _half_of_the_memory() -> int:
    """In megabytes; the machine's, whatever else runs there."""
    return (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2) >> 20
