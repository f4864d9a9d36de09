"""`kahnd logs`: the log file, chosen from and followed."""

from __future__ import annotations

import json
import os
import re
import sys
from datetime import datetime, timedelta
from typing import Any, Final

import click

from kahnd.cli.completion import documents
from kahnd.cli.journal import Journal
from kahnd.cli.logfile import LEVELS, Entry, Line, LogFile, Wanted
from kahnd.cli.options import examples, json_option
from kahnd.cli.place import Place
from kahnd.cli.terminal import paint, tame, tame_lines
from kahnd.config.loader import log_config

SHOWN: Final = 20
_AGO: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLOURS: Final = {"debug": "bright_black", "info": "green", "warning": "yellow", "error": "red", "critical": "red"}
_COLUMNS: Final = ("timestamp", "level", "event", "document")


class Moment(click.ParamType[datetime]):
    """`10m` ago, or a point in time by ISO 8601 (local where it says no zone)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The moment."""
        ago = _AGO.fullmatch(str(value))
        try:
            if ago:
                return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(str(value)).astimezone()
        except (ValueError, OverflowError):
            self.fail(f'"{value}" is no time: write 30s, 10m, 2h, 1d or 2026-01-31T12:00', param, ctx)


@click.command(
    short_help="The log",
    epilog=examples(
        ("kahnd logs -f", "the last lines, and what comes"),
        ("kahnd logs --level warning --since 2h", "what went wrong lately"),
        ("kahnd logs --journal -f", "of the systemd unit, with what systemd says of it"),
        ("kahnd logs --build 20260131T120000123-1 --json", "all of one build, for programs"),
    ),
)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now.")
@click.option("-n", "count", type=click.IntRange(min=0), metavar="N", help="Show the last N entries (20; 0 for all).")
@click.option("--level", type=click.Choice(LEVELS), help="This level and above.")
@click.option("--doc", metavar="DOC", shell_complete=documents, help="Of this document.")
@click.option("--build", metavar="ID", help="Of this build.")
@click.option("--since", type=Moment(), help="Since 10m, 2h or an ISO time ago; all of them, without -n.")
@click.option("--journal", is_flag=True, help="Of the project's systemd unit, from the journal instead of the file.")
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 (one for each option)
    place: Place,
    count: int | None,
    level: str | None,
    doc: str | None,
    build: str | None,
    since: datetime | None,
    *,
    follow: bool,
    journal: bool,
    in_json: bool,
) -> None:
    """Show the log, of the daemon and of commands: its last lines, those that are asked for, or what comes."""
    choice = Wanted(level, place.target(doc) if doc else None, build, since)
    path = place.root / log_config(place.root, os.environ).file
    log = Journal(place.root, choice) if journal else LogFile(path, choice)
    if not journal and not follow and not path.exists():
        click.echo("kahnd: nothing has been logged yet", err=True)
    wanted = (None if since else SHOWN) if count is None else count or None
    try:
        for line in log.last(wanted):
            _show(line, in_json=in_json)
        for line in log.follow() if follow else ():
            _show(line, in_json=in_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has seen enough
    finally:
        log.close()


def _show(line: Line, *, in_json: bool) -> None:
    """As JSON: the line as it stands in the log, unless something in it could steer a terminal."""
    if not in_json:
        click.echo(pretty(line))
    else:
        click.echo(line.text if line.text.isprintable() else json.dumps(line.entry))


def pretty(line: Line) -> str:
    """Time here, level, event, document, the rest as `key=value`; a text of many lines below."""
    entry = line.entry
    rest = {key: value for key, value in entry.items() if key not in _COLUMNS}
    below = {key: value for key, value in rest.items() if _has_lines(entry, key) and "\n" in str(value)}
    level = str(entry.get("level", ""))
    words = [
        _local(entry.get("timestamp")),
        paint(tame(f"{level:<8}"), _COLOURS.get(level, "white")),
        tame(f"{entry.get('event', '')!s:<18}"),
        *([tame(str(entry["document"]))] if entry.get("document") else []),
        *(tame(f"{key}={value}") for key, value in rest.items() if key not in below),
    ]
    names = [str(entry[key]) for key in ("document", "file", "because") if entry.get(key)]
    indented = [f"    {each}" for text in below.values() for each in tame_lines(str(text), *names)]
    return "\n".join([" ".join(words).rstrip(), *indented])


def _has_lines(entry: Entry, key: str) -> bool:
    """Whether it is a message, a traceback or a program's words. A line break in anything else is part of a name."""
    return key in {"error", "warning", "exception"} or (key == "output" and entry.get("event") == "document.failed")


def _local(timestamp: object) -> str:
    try:
        return f"{datetime.fromisoformat(str(timestamp)).astimezone():%Y-%m-%d %H:%M:%S.%f}"[:-3]
    except ValueError:
        return " " * 23
