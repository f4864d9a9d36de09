"""`kahnd history`: past renders."""

from __future__ import annotations

import click

from kahnd.cli import report
from kahnd.cli.completion import documents
from kahnd.cli.daemon_first import ask
from kahnd.cli.options import examples, json_option
from kahnd.cli.place import Place
from kahnd.cli.showing import warn_of_config
from kahnd.cli.terminal import show_json
from kahnd.service.client import ControlClient, Json


@click.command(
    short_help="Past renders: when, why, how long, what came of it",
    epilog=examples(
        ("kahnd history -n 5", "the last five"),
        ("kahnd history docs/index.md", "one document's"),
    ),
)
@click.argument("document", required=False, metavar="[DOC]", shell_complete=documents)
@click.option("-n", "limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@json_option
@click.pass_obj
def command(place: Place, document: str | None, limit: int, *, in_json: bool) -> None:
    """Show past renders, newest first: all, or a document's; also of one that is gone."""
    answer = _history(place, None if document is None else place.target(document), limit)
    entries = answer["history"]
    warn_of_config(answer)
    if in_json:
        show_json(entries)
    else:
        click.echo("\n".join(report.history(entries)))


def _history(place: Place, document: str | None, limit: int) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.history(place.root, document, limit)

    return ask(lambda: ControlClient(place.root).history(document, limit), at_once)
