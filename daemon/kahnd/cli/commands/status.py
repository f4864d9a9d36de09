"""`kahnd status`: the daemon, counts by status, the last build, failures."""

from __future__ import annotations

import click

from kahnd.cli import report
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import json_option
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json
from kahnd.errors import NoDaemonError
from kahnd.service.client import ControlClient, Json


@click.command(short_help="The daemon, documents by status, failures")
@json_option
@click.pass_obj
def command(place: Place, *, in_json: bool) -> int:
    """Show the daemon, the documents by status, the last build, and what failed."""
    answer = _status(place)
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.status(answer)))
    return NoDaemonError.exit_code if answer["pid"] is None else 0


def _status(place: Place) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.status(place.root)

    return ask(lambda: ControlClient(place.root).status(), at_once)
