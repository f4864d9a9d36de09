"""`kahnd wait`: returns when every change made before the call is rendered."""

from __future__ import annotations

import click

from kahnd.cli import problems, progress, report
from kahnd.cli.options import examples, form_options, targets_argument
from kahnd.cli.place import Place
from kahnd.cli.showing import show
from kahnd.service.client import ControlClient


@click.command(
    short_help="Return when all changes are rendered",
    epilog=examples(
        ("kahnd wait && rsync -a site/ host:/srv/", "publish what was just saved"),
        ("kahnd wait docs/index.md --timeout 10", "one document, for ten seconds at the most"),
    ),
)
@targets_argument
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Give up after this many seconds.")
@form_options
@click.pass_obj
def command(place: Place, targets: tuple[str, ...], timeout: float | None, *, form: str | None) -> int:
    """Return when the daemon has rendered every change made before this call."""
    with problems.echoed(place, wanted=form == "problems"), progress.shown() as told:
        answer = ControlClient(place.root).wait(place.targets(targets), timeout=timeout, progress=told)
    show(place, answer, report.build, form)
    return report.exit_code(answer)
