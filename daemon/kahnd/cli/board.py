"""What a terminal shows of a daemon: lines for what is over, and a block for what is going on and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kahnd.cli import report
from kahnd.cli.terminal import tame
from kahnd.service.events import LEVELS, Event
from kahnd.service.glance import Glance, Rendering, Wrong

_BAR: Final = 24
_RUNNING: Final = 8
"""So many renderings are shown, those first that have taken longest."""
_DETAIL: Final = 6
"""So many lines of what a program said, for each failure."""
_STYLES: Final = {"idle": "green", "rendering": "cyan", "scanning": "cyan", "degraded": "yellow"}
_COUNTS: Final = {"done": "green", "dirty": "yellow", "failed": "red", "blocked": "yellow", "missing": "red"}
_UNTOLD: Final = frozenset(
    {Event.BUILD_STARTED, Event.WATCH_BATCH, Event.SCAN_FINISHED, Event.CYCLE_FOUND, Event.CONFIG_INVALID}
)
_LABEL: Final = 10
"""As wide as the longest word that a line of the block begins with, and a space."""
_WARNING: Final = 30
_ERROR: Final = 40


def past(event: str, fields: Mapping[str, Any], moment: str) -> Text | None:
    """A line for something that is over, if it is worth one: a build, or what happened to the daemon itself.

    What becomes of documents, and what is wrong with the configuration, is in the block, or in a build's line.
    """
    name = Event(event)
    if name is Event.BUILD_FINISHED:
        bad = bool(fields["failed"] or fields["blocked"])
        return Text.assemble((moment, "dim"), "  ", (report.last_build(fields), "red" if bad else ""))
    if name is Event.DOCUMENT_RENDERED and fields.get("warning"):
        return Text.assemble((moment, "dim"), "  ", (f"warning  {tame(fields['warning'])}", "yellow"))
    if name in _UNTOLD or (name.startswith("document.") and name is not Event.DOCUMENT_UNNAMED):
        return None
    level = LEVELS[name]
    style = "red" if level >= _ERROR else "yellow" if level >= _WARNING else ""
    words = [name, *(f"{key}={value}" for key, value in fields.items() if value is not None)]
    return Text.assemble((moment, "dim"), "  ", (tame("  ".join(words)), style))


def block(now: Glance, height: int) -> RenderableType:
    """How it stands, in at most so many lines: the head, what is rendered, then what is wrong."""
    lines = [*_faults(now), *_wrong_lines(now.wrong)]
    running = list(_running(now.running, max(height // 3, 1)))
    room = height - 1 - len(running)
    if len(lines) > room:
        lines = [*lines[: max(room - 1, 0)], _more(len(lines) - max(room - 1, 0), "lines: `kahnd status` tells all")]
    return Group(_head(now), *running, *lines[:room])


def _head(now: Glance) -> RenderableType:
    state = "rendering" if now.cause and now.state == "idle" else now.state
    name = Text(state, style=_STYLES.get(state, ""))
    if now.state == "scanning":
        return _line(name, "  looking at everything")
    if not now.cause:
        return _line(name, "  ", *_counts(now.counts))
    head = Table.grid(padding=(0, 2, 0, 0))
    head.add_column(no_wrap=True)
    head.add_column(width=_BAR)
    head.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(total=max(now.total, 1), completed=now.done, width=_BAR)
    head.add_row(_line(name, f" {now.done}/{now.total}"), bar, Text(tame(now.cause)))
    return head


def _counts(counts: Mapping[str, int]) -> Iterator[Text | str]:
    yield report.counted(sum(counts.values()), "document")
    for number, (name, style) in enumerate(each for each in _COUNTS.items() if counts.get(each[0])):
        yield ", " if number else ": "
        yield Text(f"{counts[name]} {name}", style=style)


def _running(running: tuple[Rendering, ...], room: int) -> Iterator[Text]:
    longest = sorted(running, key=lambda each: -each.seconds)
    most = min(_RUNNING, room)
    shown = longest if len(longest) <= most else longest[: most - 1]
    for each in shown:
        yield _line(f"  generation {each.generation}  {tame(each.document)}  ", Text(f"{each.seconds:.1f} s", "cyan"))
    if len(shown) < len(longest):
        yield _more(len(longest) - len(shown), "being rendered")


def _faults(now: Glance) -> Iterator[Text]:
    """What keeps the daemon itself from being well."""
    if now.trouble:
        yield _line(_label("daemon", "yellow"), tame(now.trouble))
    if now.unwatched:
        yield _line(_label("unwatched", "yellow"), tame(", ".join(now.unwatched)))
    for each in now.mistakes:
        yield _line(_label("config", "red"), tame(str(each)))


def _wrong_lines(wrong: tuple[Wrong, ...]) -> Iterator[Text]:
    for each in wrong:
        status = _label("blocked", "yellow") if each.because else _label("failed", "red")
        told = {"document": each.document, "error": str(each.problem), "output": each.problem.detail}
        entry = {**told, "because": each.because, "file": each.problem.file}
        first, *below = report.failure(entry).splitlines()
        yield _line(status, first)
        for line in below[:_DETAIL]:
            yield _line(Text(line, "dim"))


def _label(word: str, style: str) -> Text:
    return Text(word.ljust(_LABEL), style)


def _more(count: int, what: str) -> Text:
    return _line(Text(f"  and {count} more {what}", "dim"))


def _line(*parts: str | Text) -> Text:
    """One line and no more, however narrow the terminal is: its end is cut."""
    line = Text.assemble(*parts)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line
