"""`kahnd plan`: what a build would render now, and why."""

from __future__ import annotations

import click

from kahnd.cli import report
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import examples, json_option, targets_argument
from kahnd.cli.place import Place
from kahnd.cli.showing import warn_of_config
from kahnd.cli.terminal import show_json
from kahnd.service.client import ControlClient, Json


@click.command(
    short_help="What a build would render now, and why",
    epilog=examples(
        ("kahnd plan", "everything"),
        ("kahnd plan docs/index.md", "one document and what it needs"),
        ("kahnd plan --json | jq .reasons", "for scripts"),
    ),
)
@targets_argument
@json_option
@click.pass_obj
def command(place: Place, targets: tuple[str, ...], *, in_json: bool) -> None:
    """Show the generations that a build would render now, and the reason for each; changes nothing."""
    answer = _plan(place, place.targets(targets))
    warn_of_config(answer)
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.plan(answer)))


def _plan(place: Place, targets: tuple[str, ...]) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.plan(place.root, targets)

    return ask(lambda: ControlClient(place.root).plan(targets), at_once)
