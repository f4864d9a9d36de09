"""`kahnd build`: brings all, or the targets and what they need, up to date."""

from __future__ import annotations

import click

from kahnd.cli import problems, progress, report
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import examples, form_options, targets_argument
from kahnd.cli.place import Place
from kahnd.cli.showing import show
from kahnd.service.client import ControlClient, Json


@click.command(
    short_help="Bring all, or the targets, up to date",
    epilog=examples(
        ("kahnd build", "everything"),
        ("kahnd build site/index.html", "one output and what it needs"),
        ("kahnd build --force", "everything, whatever its inputs"),
        ("kahnd build --problems", "what is wrong, for an editor's problem matcher"),
    ),
)
@targets_argument
@click.option("--force", is_flag=True, help="Render even what is up to date.")
@form_options
@click.pass_obj
def command(place: Place, targets: tuple[str, ...], *, force: bool, form: str | None) -> int:
    """Bring everything, or the targets and what they need, up to date; through the daemon if one runs.

    A target is a document or an output.
    """
    with problems.echoed(place, wanted=form == "problems"):
        answer = _build(place, place.targets(targets), force=force)
    show(place, answer, report.build, form)
    return report.exit_code(answer)


def _build(place: Place, targets: tuple[str, ...], *, force: bool) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.build(place.root, targets, force=force, progress=told)

    with progress.shown() as told:
        return ask(lambda: ControlClient(place.root).build(targets, force=force, progress=told), at_once)
