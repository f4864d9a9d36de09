"""Facts in words: short, aligned, plain. From the JSON shapes that the service gives to lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from kahnd.cli.terminal import columns, paint, tame, tame_lines

Json = dict[str, Any]

_FAILED: Final = 1
_BROKEN_CONFIG: Final = 2
_CYCLE: Final = 3
LAST_GOOD: Final = "kahnd.toml is broken: the last good one is in force until it is mended"
_STATUSES: Final = (("done", "green"), ("dirty", "yellow"), ("failed", "red"), ("blocked", "red"), ("missing", "red"))
_SECOND_MS: Final = 1000


def exit_code(report: Json) -> int:
    """The exit code of a build with this report. A broken kahnd.toml goes before failures and cycles."""
    if report.get("config_error"):
        return _BROKEN_CONFIG
    return _CYCLE if report["cycles"] else _FAILED if report["failed"] or report["blocked"] else 0


def build(report: Json, nothing: str = "everything is up to date") -> list[str]:
    """A line for everything that is not well, and a summary; `nothing` is that of a build that did nothing."""
    return [*_troubles(report), *config(report), _summary(report, nothing)]


def config(answer: Json) -> list[str]:
    """A line for each mistake in kahnd.toml, and what is done while it is there."""
    lines = [f"{paint('config', 'red')}    {tame(each)}" for each in (answer.get("config_error") or "").splitlines()]
    return [*lines, f"          {LAST_GOOD}"] if lines else []


def _troubles(report: Json) -> Iterator[str]:
    on_cycles = {member for cycle in report["cycles"] for member in cycle}
    for cycle in report["cycles"]:
        yield f"{paint('cycle', 'red')}    {path(cycle)}"
    for each in report["failed"]:
        if each["document"] not in on_cycles:
            yield f"{paint('failed', 'red')}   {failure(each)}"
    for each in report["blocked"]:
        why = each.get("error") or f"waits for {each['because']}"
        yield f"{paint('blocked', 'yellow')}  {failure({**each, 'error': why})}"
    for each in report.get("warnings", ()):
        yield f"{paint('warning', 'yellow')}  {failure({**each, 'error': each['warning']})}"


def _summary(report: Json, nothing: str) -> str:
    names = (("rendered", "rendered"), ("skipped", "unchanged"), ("removed", "removed"))
    counts = [f"{len(report[key])} {word}" for key, word in names if report[key]]
    counts += [f"{len(report[key])} {key}" for key in ("failed", "blocked") if report[key]]
    return f"{', '.join(counts) or nothing} ({duration(report['duration_ms'])})"


def failure(entry: Json) -> str:
    """`FILE:LINE: MESSAGE`: the document comes first where the message does not begin with a place in it.

    A program's own output stands below.
    """
    document, error = str(entry["document"]), str(entry["error"] or "failed")
    named = error if error.startswith(f"{document}:") else f"{document}: {error}"
    words = tame_lines(named, document, entry.get("because"), entry.get("file"))
    first, *rest = [*words, *tame_lines(str(entry.get("output", "")))]
    return "\n".join([first, *(f"          {line}" for line in rest)])


def why(answer: Json) -> list[str]:
    """How it stands, each reason with the hash before and after, and the chain."""
    past = answer["rendered"]
    when = f", rendered {past['started_at']} ({past['cause']})" if past else ""
    rows = [(f"  {each['kind']}", _of_what(each), _step(each)) for each in answer["reasons"]]
    lines = [
        tame(f"{answer['document']}: {answer['status']}{when}"),
        *(columns(rows) if rows else ["  no reason to tell"]),
    ]
    return [*lines, path(answer["chain"])] if len(answer["chain"]) > 1 else lines


def _of_what(reason: Json) -> str:
    facets = ", ".join(each.replace("_", " ") for each in reason["facets"])
    return tame(f"{reason['document']} ({facets})" if facets else str(reason["document"]))


def _step(reason: Json) -> str:
    return (
        f"{reason['before'] or 'nothing'} → {reason['after'] or 'nothing'}"
        if reason["before"] != reason["after"]
        else ""
    )


def history(entries: Sequence[Json]) -> list[str]:
    """A line a render: when, what, how it went and how long it took, why; below it what went wrong."""
    lines = columns(
        (each["started_at"], _outcome(each), duration(each["duration_ms"]), tame(each["document"]), tame(each["cause"]))
        for each in entries
    )
    errors = ([f"    {line}" for line in tame_lines(each["error"] or "", each["document"])] for each in entries)
    told = [line for one, below in zip(lines, errors, strict=True) for line in (one, *below)]
    return told or ["nothing was rendered yet"]


def _outcome(entry: Json) -> str:
    return paint("rendered", "green") if entry["status"] == "DONE" else paint(entry["status"].lower(), "red")


def plan(answer: Json) -> list[str]:
    """Generation by generation, each document with the reason for it."""
    lines = []
    for number, generation in enumerate(answer["generations"]):
        lines.append(paint(f"generation {number}", "cyan"))
        lines += columns((f"  {tame(each)}", tame(answer["reasons"].get(each, ""))) for each in generation)
    lines += [f"{paint('cycle', 'red')}  {path(cycle)}" for cycle in answer["cycles"]]
    count = sum(map(len, answer["generations"]))
    generations = counted(len(answer["generations"]), "generation")
    return [*lines, f"{count} to render, in {generations}" if count else "nothing to render"]


def clean(answer: Json) -> list[str]:
    """A line for everything that went, or would, and for what could not be removed."""
    verb = "would remove" if answer["dry_run"] else "removed"
    gone = [f"{verb}  {tame(each)}" for each in (*answer["removed"], *answer["state"])]
    kept = [f"{paint('kept', 'red')}  {tame(each['error'])}" for each in answer["kept"]]
    state = " and the state" if answer["state"] else ""
    count = counted(len(answer["removed"]), "output")
    return [*gone, *kept, f"{verb} {count}{state}" if gone or kept else "nothing to remove"]


def doctor(answer: Json) -> list[str]:
    """A line for each check, with the remedy below."""
    colours = {"ok": "green", "warning": "yellow", "error": "red"}
    lines = columns(
        (paint(each["state"], colours[each["state"]]), each["name"], tame(each["message"])) for each in answer["checks"]
    )
    remedies = ([f"    {tame(each['remedy'])}"] if each["remedy"] else [] for each in answer["checks"])
    told = [line for one, below in zip(lines, remedies, strict=True) for line in (one, *below)]
    bad = sum(each["state"] != "ok" for each in answer["checks"])
    return [*told, f"{counted(bad, 'thing')} to see to" if bad else "all is well"]


def status(answer: Json) -> list[str]:
    """What runs, how the documents stand, what the last build did, what failed."""
    failures = [f"{paint('failed', 'red')}  {failure(each)}" for each in answer.get("failures", ())]
    return [*columns(_rows(answer)), *config(answer), *failures]


def _rows(answer: Json) -> Iterator[tuple[str, str]]:
    yield "project", tame(f"{answer['project']} ({answer['root']})")
    pid = answer["pid"]
    yield "daemon", "stopped (start it with `kahnd run`)" if pid is None else f"{answer['state']} (process {pid})"
    yield "documents", _documents(answer["documents"])
    if answer.get("last_build"):
        yield "last build", last_build(answer["last_build"])
    watch = answer.get("watch") or {}
    if watch.get("backend"):
        lost = f"{counted(watch['overflows'], 'overflow')}, {counted(watch['rescans'], 'rescan')}"
        yield "watch", f"{watch['backend']}, {lost}"
        if watch.get("unwatched"):
            yield "unwatched", paint(tame(", ".join(watch["unwatched"])), "yellow")
    yield "store", tame(answer["store"]["url"])


def _documents(counts: dict[str, int]) -> str:
    listed = [paint(f"{counts[name]} {name}", colour) for name, colour in _STATUSES if counts[name]]
    return f"{counts['total']}: {', '.join(listed)}" if listed else str(counts["total"])


def last_build(build: Mapping[str, Any]) -> str:
    """A build that is over, in a line."""
    names = ("rendered", "skipped", "failed", "blocked", "removed")
    counts = ", ".join(f"{build[name]} {name}" for name in names if build[name]) or "nothing to do"
    return f"{tame(build['cause'])}: {counts} ({duration(build['duration_ms'])})"


def path(cycle: Sequence[str]) -> str:
    """A cycle as it is told everywhere."""
    return tame(" → ".join(cycle))


def counted(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(milliseconds: float) -> str:
    """In the unit that reads best."""
    return f"{milliseconds:.0f} ms" if milliseconds < _SECOND_MS else f"{milliseconds / _SECOND_MS:.1f} s"
