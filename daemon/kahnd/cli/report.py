"""Turns answers in their JSON shapes into text: lines for people, and graphs for Graphviz and Mermaid."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from kahnd.api import answers
from kahnd.cli.terminal import columns, paint, printable_lines
from kahnd.core.text import escape_controls

_FAILED: Final = 1
_BROKEN_CONFIG: Final = 2
_CYCLE: Final = 3
LAST_GOOD: Final = "kahnd.toml is broken: the last good one is in force until it is mended"
_Count = Literal["done", "dirty", "failed", "blocked", "missing"]
_STATUSES: Final[tuple[tuple[_Count, str], ...]] = (
    ("done", "green"),
    ("dirty", "yellow"),
    ("failed", "red"),
    ("blocked", "red"),
    ("missing", "red"),
)
_SECOND_MS: Final = 1000
_NODE_COLOURS: Final[Mapping[str, str]] = {
    "DONE": "#d7f0d7",
    "DIRTY": "#fff3c4",
    "FAILED": "#f8cccc",
    "BLOCKED": "#fadcc0",
    "MISSING": "#e2e2e2",
}
_ALIKE: Final = 3
"""So many documents with the same failure have an entry each; of more, one entry names so many."""
_MAX_WARNINGS: Final = 20
"""How many entries of warnings are shown."""
_PLACE_IN_DOCUMENT: Final = re.compile(r"(?P<line>(?::\d+){0,2}): ")
_CONTENT: Final = frozenset({"page", "collection", "link"})
"""Content dependencies, which ask for no order: drawn dashed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure of a document as it is shown: the message with its place, and a program's output.

    Line breaks are shown escaped in the names of the document, of the one to blame (`because`), and of the file.
    """

    document: str
    error: str
    output: str = ""
    because: str | None = None
    file: str | None = None


def exit_code(report: answers.Report) -> int:
    """Returns the exit code of a build. A broken kahnd.toml counts before cycles, and these before failures."""
    if report.get("config_error"):
        return _BROKEN_CONFIG
    return _CYCLE if report["cycles"] else _FAILED if report["failed"] or report["blocked"] else 0


def build(report: answers.Report, nothing: str = "everything is up to date") -> list[str]:
    """Returns a line for each problem and a summary; `nothing` is the summary of a build that did nothing."""
    return [*_problems(report), *config(report), _summary(report, nothing)]


def config(answer: answers.Configured) -> list[str]:
    """Returns a line for each mistake in kahnd.toml, and one that says which configuration is in force."""
    lines = [
        f"{paint('config', 'red')}    {escape_controls(each)}"
        for each in (answer.get("config_error") or "").splitlines()
    ]
    return [*lines, f"          {LAST_GOOD}"] if lines else []


def _problems(report: answers.Report) -> Iterator[str]:
    on_cycles = {member for cycle in report["cycles"] for member in cycle}
    for cycle in report["cycles"]:
        yield f"{paint('cycle', 'red')}    {path(cycle)}"
    failed = (_failed(each) for each in report["failed"] if each["document"] not in on_cycles)
    yield from (f"{paint('failed', 'red')}   {each}" for each in failures(failed))
    yield from (f"{paint('blocked', 'yellow')}  {each}" for each in failures(map(_blocked, report["blocked"])))
    yield from _warnings(report)


def _failed(entry: answers.Failure) -> Failure:
    return Failure(entry["document"], entry["error"], entry.get("output", ""), file=entry.get("file"))


def _blocked(entry: answers.Blocked) -> Failure:
    error = entry.get("error") or f"waits for {entry['because']}"
    return Failure(entry["document"], error, because=entry["because"], file=entry.get("file"))


def _warnings(answer: answers.Report | answers.Status) -> Iterator[str]:
    shown = list(failures(map(_warned, answer.get("warnings", ()))))
    yield from (f"{paint('warning', 'yellow')}  {each}" for each in shown[:_MAX_WARNINGS])
    if (left := len(shown) - _MAX_WARNINGS) > 0:
        yield f"          and {counted(left, 'more warning')}: `kahnd status --problems` lists all"


def _warned(entry: answers.Warned) -> Failure:
    return Failure(entry["document"], entry["warning"], file=entry.get("file"))


def _summary(report: answers.Report, nothing: str) -> str:
    lists = (
        (report["rendered"], "rendered"),
        (report["skipped"], "unchanged"),
        (report["removed"], "removed"),
        (report["failed"], "failed"),
        (report["blocked"], "blocked"),
    )
    counts = [f"{len(documents)} {word}" for documents, word in lists if documents]
    return f"{', '.join(counts) or nothing} ({duration(report['duration_ms'])})"


def failures(entries: Iterable[Failure], *, is_cut: bool = False) -> Iterator[str]:
    """Yields each failure as `failure` does, and one for all with the same message if these are more than _ALIKE.

    Of a document's own failure and those of others by it, there is one as well. `is_cut`: there are more than these.
    """
    listed = list(entries)
    elsewhere = {each.error for each in listed if _own_place(each)[1] == each.error}
    own = {each.error: each for each in listed if each.error in elsewhere and _own_place(each)[1] != each.error}
    groups: dict[tuple[str, str], list[Failure]] = {}
    for each in listed:
        shown = each.error if each.error in own else _own_place(each)[1]
        groups.setdefault((shown, each.output), []).append(each)
    for (message, output), group in groups.items():
        extent = "at least " if is_cut else ""
        if message in own and len(group) > 1:
            others = [each for each in group if each != own[message]]
            yield _with_others(own[message], others, extent)
        elif len(group) <= _ALIKE:
            yield from map(failure, group)
        else:
            yield _common_failure(message, output, group, extent)


def _common_failure(message: str, output: str, group: Sequence[Failure], extent: str) -> str:
    places = [escape_controls(_own_place(each)[0]) for each in group[:_ALIKE]]
    first, *rest = [*printable_lines(message), *printable_lines(output)]
    noun = "document" if len({each.document for each in group}) == len(group) else "place"
    rest.append(f"in {extent}{counted(len(group), noun)}: {', '.join(places)}, …")
    return "\n".join([first, *(f"          {line}" for line in rest)])


def _with_others(own: Failure, others: Sequence[Failure], extent: str) -> str:
    """Returns a document's failure, and which other documents fail by it."""
    names = ", ".join(escape_controls(each.document) for each in others[:_ALIKE])
    more = ", …" if len(others) > _ALIKE else ""
    return f"{failure(own)}\n          in {extent}{counted(len(others), 'other document')}, too: {names}{more}"


def _own_place(entry: Failure) -> tuple[str, str]:
    """Returns the place of a failure in its document, and the message without it."""
    error = entry.error or "failed"
    rest = error.removeprefix(entry.document)
    if rest == error or not (found := _PLACE_IN_DOCUMENT.match(rest)):
        return entry.document, error
    return f"{entry.document}{found['line'] or ''}", rest[found.end() :]


def failure(entry: Failure) -> str:
    """Returns `FILE:LINE: MESSAGE`, with the document first if the message does not begin with a place in it.

    A program's output follows, indented.
    """
    error = entry.error or "failed"
    named = error if error.startswith(f"{entry.document}:") else f"{entry.document}: {error}"
    words = printable_lines(named, entry.document, entry.because, entry.file)
    first, *rest = [*words, *printable_lines(entry.output)]
    return "\n".join([first, *(f"          {line}" for line in rest)])


def why(answer: answers.Why) -> list[str]:
    """Returns the status, each reason with the hashes before and after, and the chain."""
    past = answer["rendered"]
    when = f", rendered {local_time(past['started_at'])} ({past['cause']})" if past else ""
    rows = [(f"  {each['kind']}", _subject(each), _hashes(each)) for each in answer["reasons"]]
    lines = [
        escape_controls(f"{answer['document']}: {answer['status']}{when}"),
        *(columns(rows) if rows else ["  no reason to tell"]),
    ]
    return [*lines, path(answer["chain"])] if len(answer["chain"]) > 1 else lines


def _subject(reason: answers.Reason) -> str:
    facets = ", ".join(each.replace("_", " ") for each in reason["facets"])
    subject = f"{reason['document']} ({facets})" if facets else str(reason["document"])
    output = reason.get("output")
    return escape_controls(f"{subject} for {output}" if output else subject)


def _hashes(reason: answers.Reason) -> str:
    return (
        f"{reason['before'] or 'nothing'} → {reason['after'] or 'nothing'}"
        if reason["before"] != reason["after"]
        else ""
    )


def history(entries: Sequence[answers.Render]) -> list[str]:
    """Returns a line for each render (start, result, duration, document, cause), followed by its error."""
    lines = columns(
        (
            local_time(each["started_at"]),
            _outcome(each),
            duration(each["duration_ms"]),
            escape_controls(each["document"]),
            escape_controls(each["cause"]),
        )
        for each in entries
    )
    errors = ([f"    {line}" for line in printable_lines(each["error"] or "", each["document"])] for each in entries)
    shown = [line for one, below in zip(lines, errors, strict=True) for line in (one, *below)]
    return shown or ["nothing was rendered yet"]


def _outcome(entry: answers.Render) -> str:
    return paint("rendered", "green") if entry["status"] == "DONE" else paint(entry["status"].lower(), "red")


def trace(answer: answers.Timeline, file: str) -> list[str]:
    """Returns a summary of a build whose trace was written to a file, and how to look at that."""
    spans = answer["spans"]
    workers = counted(len({each["lane"] for each in spans}), "worker")
    took = f"{duration(answer['critical_ms'])} of {duration(answer['duration_ms'])}"
    lines = [
        f"{escape_controls(answer['build'])}: {escape_controls(answer['cause'])}",
        f"{counted(len(spans), 'rendering')} by {workers}; the critical path took {took}",
        f"{escape_controls(file)} is written: open it in https://ui.perfetto.dev",
    ]
    if answer["left_out"]:
        lines.insert(2, f"{counted(answer['left_out'], 'more rendering')} of this build are not known any more")
    return lines


def plan(answer: answers.Plan) -> list[str]:
    """Returns the generations, each document with its reason."""
    lines = []
    for number, generation in enumerate(answer["generations"]):
        lines.append(paint(f"generation {number}", "cyan"))
        lines += columns(
            (f"  {escape_controls(each)}", escape_controls(answer["reasons"].get(each, ""))) for each in generation
        )
    lines += [f"{paint('cycle', 'red')}  {path(cycle)}" for cycle in answer["cycles"]]
    count = sum(map(len, answer["generations"]))
    generations = counted(len(answer["generations"]), "generation")
    return [*lines, f"{count} to render, in {generations}" if count else "nothing to render"]


def clean(answer: answers.Clean) -> list[str]:
    """Returns a line for each removed file (or file to remove), and for each that could not be removed."""
    verb = "would remove" if answer["dry_run"] else "removed"
    gone = [f"{verb}  {escape_controls(each)}" for each in (*answer["removed"], *answer["state"])]
    kept = [f"{paint('kept', 'red')}  {escape_controls(each['error'])}" for each in answer["kept"]]
    state = " and the state" if answer["state"] else ""
    count = counted(len(answer["removed"]), "output")
    return [*gone, *kept, f"{verb} {count}{state}" if gone or kept else "nothing to remove"]


def doctor(answer: answers.Doctor) -> list[str]:
    """Returns a line for each check, followed by its remedy."""
    colours = {"ok": "green", "warning": "yellow", "error": "red"}
    lines = columns(
        (paint(each["state"], colours[each["state"]]), each["name"], escape_controls(each["message"]))
        for each in answer["checks"]
    )
    remedies = ([f"    {escape_controls(each['remedy'])}"] if each["remedy"] else [] for each in answer["checks"])
    shown = [line for one, below in zip(lines, remedies, strict=True) for line in (one, *below)]
    bad = sum(each["state"] != "ok" for each in answer["checks"])
    return [*shown, f"{counted(bad, 'thing')} to see to" if bad else "all is well"]


def status(answer: answers.Status) -> list[str]:
    """Returns the daemon, the documents by status, the last build, and what is wrong: failures first."""
    failed = [f"{paint('failed', 'red')}  {each}" for each in failures(map(_failed, answer.get("failures", ())))]
    missing = [f"{paint('missing', 'red')}  {_missing(each)}" for each in answer.get("missing", ())]
    return [*columns(_rows(answer)), *config(answer), *failed, *missing, *_warnings(answer)]


def _missing(entry: answers.Missing) -> str:
    named = ", ".join(entry["needed_by"])
    more = f" and {entry['count'] - len(entry['needed_by'])} more" if entry["count"] > len(entry["needed_by"]) else ""
    return escape_controls(f"{entry['document']}, needed by {named}{more}")


def _rows(answer: answers.Status) -> Iterator[tuple[str, str]]:
    yield "project", escape_controls(f"{answer['project']} ({answer['root']})")
    pid = answer["pid"]
    yield "daemon", "stopped (start it with `kahnd run`)" if pid is None else f"{answer['state']} (process {pid})"
    yield "documents", _documents(answer["documents"])
    if build := answer.get("last_build"):
        yield "last build", last_build(build)
    watch = answer.get("watch")
    if watch and watch["backend"]:
        lost = f"{counted(watch['overflows'], 'overflow')}, {counted(watch['rescans'], 'rescan')}"
        yield "watch", f"{watch['backend']}, {lost}"
        if watch.get("unwatched"):
            yield "unwatched", paint(escape_controls(", ".join(watch["unwatched"])), "yellow")
    yield "store", escape_controls(answer["store"]["url"])
    if serve := answer.get("serve"):
        yield "preview", escape_controls(serve["url"])


def _documents(counts: answers.Documents) -> str:
    listed = [paint(f"{counts[name]} {name}", colour) for name, colour in _STATUSES if counts[name]]
    return f"{counts['total']}: {', '.join(listed)}" if listed else str(counts["total"])


def last_build(build: Mapping[str, Any]) -> str:
    """Returns the summary of a finished build in one line."""
    names = ("rendered", "skipped", "failed", "blocked", "removed")
    counts = ", ".join(f"{build[name]} {name}" for name in names if build[name]) or "nothing to do"
    return f"{escape_controls(build['cause'])}: {counts} ({duration(build['duration_ms'])})"


def path(cycle: Sequence[str]) -> str:
    """Returns a cycle or chain as `a → b → a`."""
    return escape_controls(" → ".join(cycle))


def local_time(timestamp: object) -> str:
    """Returns a time in this machine's zone, to the millisecond; blanks for what is no time."""
    try:
        return f"{datetime.fromisoformat(str(timestamp)).astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3]
    except ValueError:
        return " " * 23


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, in the plural if it is not 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(milliseconds: float) -> str:
    """Returns a duration in milliseconds or seconds, whichever reads better."""
    return f"{milliseconds:.0f} ms" if milliseconds < _SECOND_MS else f"{milliseconds / _SECOND_MS:.1f} s"


def dot(graph: answers.Graph) -> str:
    """Returns the graph in Graphviz's language."""
    return "\n".join(["digraph kahnd {", *(f"  {line}" for line in _dot_lines(graph)), "}"])


def _dot_lines(graph: answers.Graph) -> Iterator[str]:
    yield "rankdir=LR;"
    yield 'node [shape=box, style="rounded,filled", fontname="sans-serif", fillcolor="#ffffff"];'
    for node in graph["nodes"]:
        yield f'{_dot_quoted(node["id"])} [fillcolor="{_NODE_COLOURS.get(node["status"], "#ffffff")}"];'
    for edge in graph["edges"]:
        style = ", style=dashed" if edge["kind"] in _CONTENT else ""
        yield f"{_dot_quoted(edge['from'])} -> {_dot_quoted(edge['to'])} [label={_dot_quoted(edge['kind'])}{style}];"


def _dot_quoted(name: str) -> str:
    """Quotes a name. Graphviz escapes only quotes, but gives backslashes in labels a meaning."""
    lines = (escape_controls(each).replace("\\", "\\\\").replace('"', '\\"') for each in name.split("\n"))
    return '"' + "\\n".join(lines) + '"'


def mermaid(graph: answers.Graph) -> str:
    """Returns the graph in Mermaid's language. Nodes are numbered, because Mermaid cannot quote their ids."""
    names = sorted(
        {node["id"] for node in graph["nodes"]} | {end for edge in graph["edges"] for end in (edge["from"], edge["to"])}
    )
    numbers = {name: f"n{number}" for number, name in enumerate(names)}
    return "\n".join(["flowchart LR", *(f"  {line}" for line in _mermaid_lines(graph, numbers))])


def _mermaid_lines(graph: answers.Graph, numbers: Mapping[str, str]) -> Iterator[str]:
    for name, number in numbers.items():
        yield f'{number}["{_mermaid_escaped(name)}"]'
    for edge in graph["edges"]:
        arrow = "-.->" if edge["kind"] in _CONTENT else "-->"
        yield f"{numbers[edge['from']]} {arrow}|{_mermaid_escaped(edge['kind'])}| {numbers[edge['to']]}"
    for status, colour in _NODE_COLOURS.items():
        members = [numbers[node["id"]] for node in graph["nodes"] if node["status"] == status]
        if members:
            yield f"classDef {status} fill:{colour},stroke:#888"
            yield f"class {','.join(members)} {status}"


def _mermaid_escaped(text: str) -> str:
    """Replaces characters that could end a label or have a meaning in it by Mermaid's entities."""
    return "".join(each if each.isalnum() or each in " /._-*" else f"#{ord(each)};" for each in escape_controls(text))


GRAPH_FORMATS: Final[Mapping[str, Callable[[answers.Graph], str]]] = {"dot": dot, "mermaid": mermaid}
