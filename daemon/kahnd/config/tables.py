"""The schema of `kahnd.toml`: each table's keys with their types, ranges and defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from kahnd.config.validation import KeyPath, ProblemCollector, nearest, to_struct
from kahnd.core.globs import glob_error
from kahnd.core.output_paths import HASH
from kahnd.core.project_files import DATABASE, EMBEDDED, LOG_FILE
from kahnd.core.routes import META
from kahnd.core.rules import OUTPUT_PLACEHOLDERS, RenderLimits, Rule
from kahnd.core.text import shortened

Seconds = Annotated[float, Meta(gt=0, le=7 * 86_400)]
Megabytes = Annotated[int, Meta(ge=256, le=1 << 24)]
"""Of memory; a worker itself needs about a hundred."""
Variable = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""
Milliseconds = Annotated[int, Meta(ge=0, le=60_000)]
Text = Annotated[str, Meta(min_length=1)]


class ProjectTable(Struct, frozen=True, kw_only=True):
    """The project's name, and where its files are.

    `drafts`: whether drafts and later pages are rendered. `last_change`: whether pages know when a commit changed them.
    """

    sources: tuple[Text, ...]
    name: Text | None = None
    output: Text = "site"
    ignore: tuple[Text, ...] = ()
    drafts: bool = False
    last_change: bool = False


class StoreTable(Struct, frozen=True, kw_only=True):
    """The database that stores the graph."""

    url: Text = f"{EMBEDDED}{DATABASE}"
    namespace: Text = "kahnd"
    database: Text | None = None


class WatchTable(Struct, frozen=True, kw_only=True):
    """The settings of the watcher."""

    settle_ms: Milliseconds = 10
    rescan_s: Annotated[float, Meta(ge=0, le=7 * 86_400)] = 300
    polling: Literal["auto", "always", "never"] = "auto"
    events: Literal["auto", "inotify", "watchfiles"] = "auto"


class PoolTable(Struct, frozen=True, kw_only=True):
    """The number of renderings at once, and the time, memory and output size that each may take."""

    workers: Annotated[int, Meta(ge=1, le=1024)] | Literal["auto"] = "auto"
    timeout_s: Seconds = 60
    grace_s: Annotated[float, Meta(ge=0, le=3600)] = 10
    memory_mb: Megabytes | Literal["auto"] = "auto"
    output_mb: Annotated[int, Meta(ge=1, le=1 << 24)] = 256


class LogTable(Struct, frozen=True, kw_only=True):
    """The level, format and file of the log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    file: Text = LOG_FILE


class ServeTable(Struct, frozen=True, kw_only=True):
    """Whether and where `kahnd run` shows the project to browsers, and the address that opens a file in an editor."""

    enabled: bool = True
    host: Text = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8300
    editor: str = "vscode://file/{path}:{line}:{column}"


class PluginsTable(Struct, frozen=True, kw_only=True):
    """The environment of the functions of `python` rules."""

    python: Text | None = None


class RuleTable(Struct, frozen=True, kw_only=True):
    """The keys that every `[[rules]]` entry may have; its other keys are its renderer's, as is the default `output`.

    `output` may be a list or, with a slash at its end, a folder. `also`: the rule applies beside the first that fits,
    so that a document has several renderings. `timeout_s` and `memory_mb` stand for those of
    `[pool]`. `env`: the environment variables that count as inputs.
    """

    match: Text
    renderer: Text
    output: Text | Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100)] | None = None
    timeout_s: Seconds | None = None
    memory_mb: Megabytes | None = None
    env: tuple[Variable, ...] = ()
    also: bool = False


TABLES: Final[dict[str, type[Struct]]] = {
    "project": ProjectTable,
    "store": StoreTable,
    "watch": WatchTable,
    "pool": PoolTable,
    "log": LogTable,
    "serve": ServeTable,
    "plugins": PluginsTable,
}
"""All tables except the list of rules."""


class Tables(Struct, frozen=True, kw_only=True):
    """The whole file except its rules."""

    project: ProjectTable
    store: StoreTable
    watch: WatchTable
    pool: PoolTable
    log: LogTable
    serve: ServeTable
    plugins: PluginsTable


def _accept(_parameters: Any, _outputs: Sequence[str] = ()) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class RendererSchema:
    """The keys that a renderer adds to a rule; the composition root provides one for each renderer.

    `parameters` has a field for each key. `output` is the output pattern of a rule that has none, unless its parameters
    have an `own_output`; "" makes the key mandatory. `check` yields objections that types can't express: sentences that
    quote a key or a value `so`; `check_outputs` those against the rule's output patterns.
    """

    parameters: type[Struct]
    output: str = ""
    check: Callable[[Any], Iterable[str]] = _accept
    check_outputs: Callable[[Any, Sequence[str]], Iterable[str]] = _accept


_COMMON_KEYS: Final = frozenset(each.encode_name for each in msgspec.structs.fields(RuleTable))
_PLACEHOLDERS: Final = tuple(f"{{{name}}}" for name in OUTPUT_PLACEHOLDERS)
_QUOTED: Final = re.compile(r"([`'])(?P<text>.+?)\1")
_BRACES: Final = re.compile(r"\{([^{}]*)\}?|\}")


def read_rules(entries: Any, renderers: Mapping[str, RendererSchema], problems: ProblemCollector) -> tuple[Rule, ...]:
    """Return the valid rules in order; add the problems of the others."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.add(("rules",), "rules must be a list of tables", "begin each rule with [[rules]]")
        return ()
    rules = (_read_rule(index, entry, renderers, problems) for index, entry in enumerate(entries))
    return tuple(rule for rule in rules if rule is not None)


def _read_rule(
    index: int, entry: dict[str, Any], renderers: Mapping[str, RendererSchema], problems: ProblemCollector
) -> Rule | None:
    path: KeyPath = ("rules", index)
    schema = _schema(entry, path, renderers, problems)
    parameters = _parameters(entry, path, schema, problems) if schema else None
    common = to_struct({key: entry[key] for key in entry.keys() & _COMMON_KEYS}, RuleTable, path, problems)
    if common is None:
        return None
    default = getattr(parameters, "own_output", "") or (schema.output if schema else "")
    _check_match(common.match, (*path, "match"), problems)
    outputs = _outputs(common.output, default, (*path, "output"), problems)
    if schema and not outputs:
        message = f'"output" is missing; {common.renderer} rules must say'
        problems.add(path, message, 'such as output = "{dir}/{stem}.svg"')
    for objection in schema.check_outputs(parameters, outputs) if schema and parameters and outputs else ():
        problems.add((*path, "output"), objection)
    return Rule(
        index,
        common.match,
        common.renderer,
        outputs[0] if len(outputs) == 1 else outputs,
        parameters,
        line=problems.line(path),
        limits=RenderLimits(common.timeout_s, common.memory_mb),
        env=common.env,
        clean_urls=getattr(parameters, "clean_urls", False),
        also=common.also,
    )


def _outputs(
    given: str | tuple[str, ...] | None, default: str, path: KeyPath, problems: ProblemCollector
) -> tuple[str, ...]:
    """Return the output patterns of a rule; add the problems of those that are given."""
    if given is None:
        return (default,) if default else ()
    if isinstance(given, str):
        _check_output(given, path, problems)
        return (given,)
    for index, pattern in enumerate(given):
        _check_output(pattern, (*path, index), problems)
        if pattern.endswith("/") and len(given) > 1:
            message = f'the folder "{pattern}" can\'t be one of several outputs'
            problems.add((*path, index), message, "name the folder alone, or each file")
    return given


def _schema(
    entry: Mapping[str, Any], path: KeyPath, renderers: Mapping[str, RendererSchema], problems: ProblemCollector
) -> RendererSchema | None:
    name = entry.get("renderer")
    if not isinstance(name, str):
        return None  # missing, or of a wrong type: reported with the other common keys
    if name not in renderers:
        problems.add((*path, "renderer"), f'unknown renderer "{name}"', nearest(name, renderers))
    return renderers.get(name)


def _parameters(entry: Mapping[str, Any], path: KeyPath, schema: RendererSchema, problems: ProblemCollector) -> object:
    own = {key: value for key, value in entry.items() if key not in _COMMON_KEYS}
    parameters = to_struct(own, schema.parameters, path, problems, also=_COMMON_KEYS)
    if parameters is None:
        return None
    for objection in schema.check(parameters):
        problems.add((*path, *_key_of(objection, own)), objection)
    return parameters


def _key_of(objection: str, values: Mapping[str, Any]) -> KeyPath:
    """Return the key, or the list element, that an objection is about: it quotes the key, or part of its value."""
    quotes = [match["text"] for match in _QUOTED.finditer(objection)]
    named = next(((key,) for quote in quotes for key in values if quote == key), ())
    return next((path for quote in quotes for path in _paths_of_text(quote, values)), named)


def _paths_of_text(quote: str, values: Mapping[str, Any]) -> Iterable[KeyPath]:
    """Yield the paths of all values that contain a text."""
    for key, value in values.items():
        texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        for index, text in enumerate(texts):
            if isinstance(text, str) and quote in text:
                yield (key, index) if isinstance(value, list) else (key,)


def _check_match(pattern: str, path: KeyPath, problems: ProblemCollector) -> None:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        problems.add(path, f'"{pattern}" can match nothing', "patterns are relative to the project, and stay within it")
    if objection := glob_error(pattern):
        problems.add(path, f'"{shortened(pattern)}" is no valid pattern: {objection}')


def _check_output(pattern: str, path: KeyPath, problems: ProblemCollector) -> None:
    for braces in _BRACES.finditer(pattern):
        name = braces[1] or ""
        if name not in OUTPUT_PLACEHOLDERS and not META.fullmatch(name):
            known = nearest(braces[0], _PLACEHOLDERS)
            remedy = "write {meta.NAME}, or {meta.NAME.year}" if name.startswith("meta") else known
            problems.add(path, f"unknown placeholder {braces[0]}", remedy)
        elif not braces[0].endswith("}"):
            problems.add(path, f"{braces[0]} has no closing brace", f"write {braces[0]}}}")
    if pattern.count(HASH) > (not pattern.endswith("/")):
        message = f'output "{pattern}" has more than one {HASH}, or is a folder with it'
        problems.add(path, message, "a file's path can have one")
    if pattern.startswith("/") or ".." in pattern.split("/"):
        problems.add(path, f'output "{pattern}" leads out of the output folder', "begin below it, without / or ..")
    elif pattern.endswith("/.") or pattern == ".":
        problems.add(
            path,
            f'output "{pattern}" names no file',
            'such as "{dir}/{stem}.html", or "{dir}/{stem}/"',
        )
