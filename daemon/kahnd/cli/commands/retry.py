"""`kahnd retry`: failed documents again."""

from __future__ import annotations

from functools import partial

import click

from kahnd.cli import problems, progress, report
from kahnd.cli.completion import documents
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import examples, form_options
from kahnd.cli.place import Place
from kahnd.cli.showing import show
from kahnd.service.client import ControlClient, Json


@click.command(
    short_help="Failed documents again",
    epilog=examples(
        ("kahnd retry", "all that failed"),
        ("kahnd retry docs/index.md", "what failed of one document and what it needs"),
    ),
)
@click.argument("documents", nargs=-1, metavar="[DOC]...", shell_complete=documents)
@form_options
@click.pass_obj
def command(place: Place, documents: tuple[str, ...], *, form: str | None) -> int:
    """Render again what failed: everything, or what of it the documents are or need.

    What it blocked follows. Other changes are left to `build`, or to the daemon.
    """
    with problems.echoed(place, wanted=form == "problems"):
        answer = _retry(place, place.targets(documents))
    show(place, answer, partial(report.build, nothing="nothing to try again"), form)
    return report.exit_code(answer)


def _retry(place: Place, documents: tuple[str, ...]) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.retry(place.root, documents, progress=told)

    with progress.shown() as told:
        return ask(lambda: ControlClient(place.root).retry(documents, progress=told), at_once)
