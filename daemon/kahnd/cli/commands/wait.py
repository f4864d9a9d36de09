"""`kahnd wait`: returns when every change made before the call is rendered."""

from __future__ import annotations

import click

from kahnd.cli import progress, report
from kahnd.cli.options import json_option, targets_argument
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json
from kahnd.service.client import ControlClient


@click.command(short_help="Return when all changes are rendered")
@targets_argument
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Give up after this many seconds.")
@json_option
@click.pass_obj
def command(place: Place, targets: tuple[str, ...], timeout: float | None, *, in_json: bool) -> int:
    """Return when the daemon has rendered every change made before this call."""
    with progress.shown() as told:
        answer = ControlClient(place.root).wait(place.targets(targets), timeout=timeout, progress=told)
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.build(answer)))
    return report.exit_code(answer)
