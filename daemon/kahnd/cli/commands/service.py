"""`kahnd service`: this project's daemon as a systemd user unit, from login on."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from kahnd.cli.options import examples, json_option
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json, tame


@click.group(
    short_help="The daemon as a systemd user unit",
    epilog=examples(
        ("kahnd service install", "from now on, and from each login on"),
        ("kahnd service status", "whether it is installed, enabled, active"),
        ("kahnd logs --journal -f", "what it says, and what systemd says of it"),
    ),
)
def command() -> None:
    """Run this project's daemon by systemd, from login on."""


@command.command(short_help="Write the unit, enable and start it")
@click.option("--no-start", is_flag=True, help="Only write the unit.")
@click.pass_obj
def install(place: Place, *, no_start: bool) -> None:
    """Write a user unit for this project; enable and start it. Again: bring it up to date."""
    from kahnd.service import installing  # noqa: PLC0415 (only this command needs it)

    done = installing.install(place.root.resolve(), program(), os.environ.get("PATH", os.defpath), start=not no_start)
    click.echo(f"{tame(str(done.file))} {'written' if done.written else 'is as it should be'}.")
    if done.started:
        click.echo(f"{done.unit} runs, and will with each login (`loginctl enable-linger`: without one, too).")
        click.echo("See `kahnd service status` and `kahnd logs -f`.")
    else:
        click.echo(f"Start it with: systemctl --user daemon-reload && systemctl --user enable --now '{done.unit}'")


@command.command(short_help="Stop the unit and remove it")
@click.pass_obj
def uninstall(place: Place) -> None:
    """Stop and disable the unit that `install` wrote, and remove it; nothing else is touched."""
    from kahnd.service import installing  # noqa: PLC0415 (only this command needs it)

    done = installing.uninstall(place.root.resolve())
    if done is None:
        click.echo("There is no unit that kahnd wrote for this project.")
        return
    click.echo(f"{tame(str(done.file))} removed.")
    if done.unstopped:
        click.echo(f"Nothing could be stopped, should it run: {tame(done.unstopped)}.", err=True)


@command.command(short_help="Whether it is installed, enabled, active")
@json_option
@click.pass_obj
def status(place: Place, *, in_json: bool) -> None:
    """Show whether this project has a unit, and how it is."""
    from kahnd.service import installing  # noqa: PLC0415 (only this command needs it)

    told = installing.status(place.root.resolve())
    if in_json:
        show_json(told)
    else:
        click.echo("\n".join(_lines(told)))


def _lines(told: dict[str, Any]) -> list[str]:
    if not told["installed"]:
        return [f"{told['unit']}: not installed", "  `kahnd service install` does it"]
    words = [f"{told['active']} ({told['state']})", "enabled" if told["enabled"] else "not enabled"]
    words += [f"process {told['pid']}"] if told["pid"] else []
    words += [f"started again {told['restarts']} times"] if told["restarts"] else []
    return [f"{told['unit']}: {', '.join(words)}", *([f"  {tame(told['status'])}"] if told["status"] else [])]


def program() -> tuple[str, ...]:
    """What started this process, for another to start it: the installed script as it was called, links and all.

    An upgrade puts another file where a link leads; the link stays.
    """
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return (sys.executable, "-m", "kahnd")
    return (os.path.abspath(shutil.which(sys.argv[0]) or called),)  # noqa: PTH100
