"""The commands about the daemon: `run` in the foreground, `service` as a systemd user unit, and `logs`."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

import click

from kahnd.cli import report
from kahnd.cli.context import CommandContext, documents, examples, json_option, show_drafts
from kahnd.cli.log_file import LEVELS, Entry, Journal, Line, LogFile, Wanted
from kahnd.cli.output import echo_problems
from kahnd.cli.terminal import paint, print_json, printable_lines
from kahnd.config.loader import log_config
from kahnd.core.text import escape_controls

if TYPE_CHECKING:  # the whole engine: only once it is needed
    from kahnd.app.daemon_view import DaemonListener


HOST: Final = "KAHND_SERVE__HOST"


class RunOptions(TypedDict):
    """The options of `kahnd run`, by the names of their parameters."""

    plain: bool
    notify: bool
    as_problems: bool
    drafts: bool
    no_serve: bool
    host: str | None


@click.command(
    short_help="Run the daemon in the foreground",
    epilog=examples(
        ("kahnd run", "on a terminal: a live view of renders and failures"),
        ("kahnd run --plain", "print the log instead"),
        ("kahnd run --host 0.0.0.0", "let other machines see the preview, with the URL that is printed"),
        ("kahnd run --notify", "also send desktop notifications"),
        ("kahnd run --problems", "for an editor's background task: see docs/editors.md"),
    ),
)
@click.option("--plain", is_flag=True, help="Print the log, even on a terminal.")
@click.option("--notify", is_flag=True, help="Notify the desktop of failures and of recovery.")
@click.option("--problems", "as_problems", is_flag=True, help="Print all failures after each build, for editors.")
@click.option("--drafts", is_flag=True, help="Also render drafts and pages with a date to come.")
@click.option("--no-serve", is_flag=True, help="Serve no preview, whatever kahnd.toml says.")
@click.option("--host", metavar="HOST", help="Serve the preview at this host; other machines need the printed URL.")
@click.pass_obj
def run(context: CommandContext, **options: Unpack[RunOptions]) -> int:
    """Run the daemon in the foreground until it is interrupted.

    On a terminal it shows a live view. Elsewhere, or if `format` in [log] is "json" or "console", it prints the log.
    """
    root, as_problems = context.root, options["as_problems"]
    if options["drafts"]:
        show_drafts()
    if options["host"]:
        os.environ[HOST] = options["host"]
    with echo_problems(context, wanted=as_problems):
        from kahnd.app import daemon  # noqa: PLC0415 (the whole engine: only this command needs it)

        live = not options["plain"] and not as_problems and _can_show_live_view(root)
        listeners = list(_listeners(root, options, live=live))
        return daemon.run(root, listeners, None if live or as_problems else sys.stderr)


def _can_show_live_view(root: Path) -> bool:
    from kahnd.config.loader import log_config  # noqa: PLC0415 (likewise)

    able = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return able and log_config(root, os.environ).format == "auto"


def _listeners(root: Path, options: RunOptions, *, live: bool) -> Iterator[DaemonListener]:
    if live:
        from kahnd.cli.listeners.live_view import Live  # noqa: PLC0415 (likewise, and rich)

        yield Live(sys.stderr)
    if options["as_problems"]:
        from kahnd.cli.listeners.problems import ProblemLines  # noqa: PLC0415

        yield ProblemLines(root, sys.stdout)
    if options["notify"]:
        from kahnd.cli.listeners.problems import Desktop  # noqa: PLC0415

        yield Desktop(root.name)
    if not (live or options["as_problems"] or options["no_serve"]):
        from kahnd.cli.listeners.served_url import ServedUrl  # noqa: PLC0415 (likewise)

        yield ServedUrl(sys.stdout)
    if not options["no_serve"]:
        from kahnd.web.face import WebFace  # noqa: PLC0415 (likewise, and aiohttp)

        yield WebFace()


@click.group(
    short_help="Run the daemon as a systemd user unit",
    epilog=examples(
        ("kahnd service install", "start the daemon now and at each login"),
        ("kahnd service status", "installed, enabled, active?"),
        ("kahnd logs --journal -f", "follow the unit's journal"),
    ),
)
def service() -> None:
    """Run this project's daemon as a systemd user unit that starts at login."""


@service.command(short_help="Write, enable and start the unit")
@click.option("--no-start", is_flag=True, help="Only write the unit.")
@click.pass_obj
def install(context: CommandContext, *, no_start: bool) -> None:
    """Write a user unit for this project, then enable and start it. Run it again to update the unit."""
    from kahnd.app import systemd_service  # noqa: PLC0415 (only this command needs it)

    done = systemd_service.install(
        context.root.resolve(), program(), os.environ.get("PATH", os.defpath), start=not no_start
    )
    click.echo(f"{escape_controls(str(done.file))} {'written' if done.written else 'is as it should be'}.")
    if done.started:
        click.echo(f"{done.unit} runs, and will with each login (`loginctl enable-linger`: without one, too).")
        click.echo("See `kahnd service status` and `kahnd logs -f`.")
    else:
        click.echo(f"Start it with: systemctl --user daemon-reload && systemctl --user enable --now '{done.unit}'")


@service.command(short_help="Stop and remove the unit")
@click.pass_obj
def uninstall(context: CommandContext) -> None:
    """Stop, disable and remove the unit that `install` wrote. Nothing else is touched."""
    from kahnd.app import systemd_service  # noqa: PLC0415 (only this command needs it)

    done = systemd_service.uninstall(context.root.resolve())
    if done is None:
        click.echo("There is no unit that kahnd wrote for this project.")
        return
    click.echo(f"{escape_controls(str(done.file))} removed.")
    if done.unstopped:
        click.echo(f"Nothing could be stopped, should it run: {escape_controls(done.unstopped)}.", err=True)


@service.command(short_help="Show the state of the unit")
@json_option
@click.pass_obj
def status(context: CommandContext, *, in_json: bool) -> None:
    """Show whether the unit is installed, enabled and active."""
    from kahnd.app import systemd_service  # noqa: PLC0415 (only this command needs it)

    shown = systemd_service.status(context.root.resolve())
    if in_json:
        print_json(shown)
    else:
        click.echo("\n".join(_lines(shown)))


def _lines(shown: dict[str, Any]) -> list[str]:
    if not shown["installed"]:
        return [f"{shown['unit']}: not installed", "  `kahnd service install` does it"]
    words = [f"{shown['active']} ({shown['state']})", "enabled" if shown["enabled"] else "not enabled"]
    words += [f"process {shown['pid']}"] if shown["pid"] else []
    words += [f"started again {shown['restarts']} times"] if shown["restarts"] else []
    return [
        f"{shown['unit']}: {', '.join(words)}",
        *([f"  {escape_controls(shown['status'])}"] if shown["status"] else []),
    ]


def program() -> tuple[str, ...]:
    """Returns the command that starts kahnd again: the installed script as it was called, links not resolved.

    An upgrade may replace the file that a link leads to, but keeps the link.
    """
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return (sys.executable, "-m", "kahnd")
    return (os.path.abspath(shutil.which(sys.argv[0]) or called),)  # noqa: PTH100


SHOWN: Final = 20
_AGO: Final = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLOURS: Final = {"debug": "bright_black", "info": "green", "warning": "yellow", "error": "red", "critical": "red"}
_COLUMNS: Final = ("timestamp", "level", "event", "document")


class Moment(click.ParamType[datetime]):
    """A time span such as `10m` before now, or an ISO 8601 time (local if it has no zone)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Returns the point in time."""
        ago = _AGO.fullmatch(str(value))
        try:
            if ago:
                return datetime.now().astimezone() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(str(value)).astimezone()
        except (ValueError, OverflowError):
            self.fail(f'"{value}" is no time: write 30s, 10m, 2h, 1d or 2026-01-31T12:00', param, ctx)


class LogOptions(TypedDict):
    """The options of `kahnd logs`, by the names of their parameters."""

    count: int | None
    level: str | None
    doc: str | None
    build: str | None
    since: datetime | None
    follow: bool
    journal: bool
    in_json: bool


@click.command(
    short_help="Show the log",
    epilog=examples(
        ("kahnd logs -f", "the last lines, then new ones as they come"),
        ("kahnd logs --level warning --since 2h", "recent warnings and errors"),
        ("kahnd logs --journal -f", "the systemd unit's journal"),
        ("kahnd logs --build 20260131T120000123-1 --json", "one build, for programs"),
    ),
)
@click.option("-f", "--follow", is_flag=True, help="Print new entries as they are logged.")
@click.option("-n", "count", type=click.IntRange(min=0), metavar="N", help="The last N entries (default 20; 0: all).")
@click.option("--level", type=click.Choice(LEVELS), help="Show this level and above.")
@click.option("--doc", metavar="DOC", shell_complete=documents, help="Show only this document's entries.")
@click.option("--build", metavar="ID", help="Show only this build's entries.")
@click.option("--since", type=Moment(), help="Entries since an ISO time, or 10m or 2h ago; all without -n.")
@click.option("--journal", is_flag=True, help="Read the systemd unit's journal instead of the file.")
@json_option
@click.pass_obj
def logs(context: CommandContext, **options: Unpack[LogOptions]) -> None:
    """Show the last entries of the log, filtered if asked; `-f` follows it. The daemon and commands write it."""
    doc, since, count = options["doc"], options["since"], options["count"]
    follow, journal, in_json = options["follow"], options["journal"], options["in_json"]
    choice = Wanted(options["level"], context.target(doc) if doc else None, options["build"], since)
    path = context.root / log_config(context.root, os.environ).file
    log = Journal(context.root, choice) if journal else LogFile(path, choice)
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
    """Prints a line; with JSON as it stands in the log, unless it holds control characters."""
    if not in_json:
        click.echo(pretty(line))
    else:
        click.echo(line.text if line.text.isprintable() else json.dumps(line.entry))


def pretty(line: Line) -> str:
    """Formats a line: local time, level, event, document, the rest as `key=value`; texts of several lines follow."""
    entry = line.entry
    rest = {key: value for key, value in entry.items() if key not in _COLUMNS}
    below = {key: value for key, value in rest.items() if _has_lines(entry, key) and "\n" in str(value)}
    level = str(entry.get("level", ""))
    words = [
        report.local_time(entry.get("timestamp")),
        paint(escape_controls(f"{level:<8}"), _COLOURS.get(level, "white")),
        escape_controls(f"{entry.get('event', '')!s:<18}"),
        *([escape_controls(str(entry["document"]))] if entry.get("document") else []),
        *(escape_controls(f"{key}={value}") for key, value in rest.items() if key not in below),
    ]
    names = [str(entry[key]) for key in ("document", "file", "because") if entry.get(key)]
    indented = [f"    {each}" for text in below.values() for each in printable_lines(str(text), *names)]
    return "\n".join([" ".join(words).rstrip(), *indented])


def _has_lines(entry: Entry, key: str) -> bool:
    """Tells whether a value is a message, a traceback or an output. In others, a line break is part of a name."""
    return key in {"error", "warning", "exception"} or (key == "output" and entry.get("event") == "document.failed")
