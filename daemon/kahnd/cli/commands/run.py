"""`kahnd run`: the daemon, in the foreground."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kahnd.cli import problems
from kahnd.cli.options import examples
from kahnd.cli.place import Place

if TYPE_CHECKING:  # the whole engine: only once it is needed
    from kahnd.service.glance import Onlooker


@click.command(
    short_help="The daemon, in the foreground",
    epilog=examples(
        ("kahnd run", "on a terminal: what is rendered, and what is wrong until it is mended"),
        ("kahnd run --plain", "the log's lines"),
        ("kahnd run --notify", "tell the desktop, too, what fails and when it is mended"),
        ("kahnd run --problems", "for an editor's background task: see the documentation"),
    ),
)
@click.option("--plain", is_flag=True, help="Print the log's lines, also on a terminal.")
@click.option("--notify", is_flag=True, help="Tell the desktop when something fails, and when all is well again.")
@click.option("--problems", "as_problems", is_flag=True, help="Print what is wrong after each build, for editors.")
@click.pass_obj
def command(place: Place, *, plain: bool, notify: bool, as_problems: bool) -> int:
    """Run the daemon, in the foreground, until it is interrupted.

    On a terminal it shows what goes on; elsewhere, and with format = "json" or "console" in [log], it prints the log.
    """
    root = place.root
    with problems.echoed(place, wanted=as_problems):
        from kahnd.service import daemon  # noqa: PLC0415 (the whole engine: only this command needs it)

        live = not plain and not as_problems and _is_for_looking_at(root)
        onlookers = list(_onlookers(root, live=live, notify=notify, as_problems=as_problems))
        return daemon.run(root, onlookers, None if live or as_problems else sys.stderr)


def _is_for_looking_at(root: Path) -> bool:
    from kahnd.config.loader import log_config  # noqa: PLC0415 (likewise)

    able = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return able and log_config(root, os.environ).format == "auto"


def _onlookers(root: Path, *, live: bool, notify: bool, as_problems: bool) -> Iterator[Onlooker]:
    if live:
        from kahnd.cli.live import Live  # noqa: PLC0415 (likewise, and rich)

        yield Live(sys.stderr)
    if as_problems:
        from kahnd.cli.problem_lines import ProblemLines  # noqa: PLC0415

        yield ProblemLines(root, sys.stdout)
    if notify:
        from kahnd.cli.desktop import Desktop  # noqa: PLC0415

        yield Desktop(root.name)
