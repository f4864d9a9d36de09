"""`kahnd retry`: failed documents again."""

from __future__ import annotations

import click

from kahnd.cli import progress, report
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import json_option
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json
from kahnd.service.client import ControlClient, Json


@click.command(short_help="Failed documents again")
@click.argument("documents", nargs=-1, metavar="[DOC]...")
@json_option
@click.pass_obj
def command(place: Place, documents: tuple[str, ...], *, in_json: bool) -> int:
    """Render again what failed: everything, or what of it the documents are or need.

    What it blocked follows. Other changes are left to `build`, or to the daemon.
    """
    answer = _retry(place, place.targets(documents))
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.build(answer, nothing="nothing to try again")))
    return report.exit_code(answer)


def _retry(place: Place, documents: tuple[str, ...]) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.retry(place.root, documents, progress=told)

    with progress.shown() as told:
        return ask(lambda: ControlClient(place.root).retry(documents, progress=told), at_once)
