"""`kahnd build`: brings all, or the targets and what they need, up to date."""

from __future__ import annotations

import click

from kahnd.cli import progress, report
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import json_option, targets_argument
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json
from kahnd.service.client import ControlClient, Json


@click.command(short_help="Bring all, or the targets, up to date")
@targets_argument
@click.option("--force", is_flag=True, help="Render even what is up to date.")
@json_option
@click.pass_obj
def command(place: Place, targets: tuple[str, ...], *, force: bool, in_json: bool) -> int:
    """Bring everything, or the targets and what they need, up to date; through the daemon if one runs.

    A target is a document or an output.
    """
    answer = _build(place, place.targets(targets), force=force)
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.build(answer)))
    return report.exit_code(answer)


def _build(place: Place, targets: tuple[str, ...], *, force: bool) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.build(place.root, targets, force=force, progress=told)

    with progress.shown() as told:
        return ask(lambda: ControlClient(place.root).build(targets, force=force, progress=told), at_once)
