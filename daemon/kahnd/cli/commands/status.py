"""`kahnd status`: the daemon, counts by status, the last build, failures."""

from __future__ import annotations

import click

from kahnd.cli import problems, report
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import examples, form_options
from kahnd.cli.place import Place
from kahnd.cli.showing import show
from kahnd.errors import NoDaemonError
from kahnd.service.client import ControlClient, Json


@click.command(
    short_help="The daemon, documents by status, failures",
    epilog=examples(
        ("kahnd status", "for people"),
        ("kahnd status --json | jq .documents", "for scripts"),
    ),
)
@form_options
@click.pass_obj
def command(place: Place, *, form: str | None) -> int:
    """Show the daemon, the documents by status, the last build, and what failed."""
    with problems.echoed(place, wanted=form == "problems"):
        answer = _status(place)
    show(place, answer, report.status, form)
    return NoDaemonError.exit_code if answer["pid"] is None else 0


def _status(place: Place) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.status(place.root)

    return ask(lambda: ControlClient(place.root).status(), at_once)
