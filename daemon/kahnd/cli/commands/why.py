"""`kahnd why`: why a document was rendered, or would be."""

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
    short_help="Why a document was rendered, or would be",
    epilog=examples(
        ("kahnd why docs/index.md", "the reasons, and the chain from the edited file"),
        ("kahnd why docs/index.md --json", "for scripts"),
    ),
)
@click.argument("document", metavar="DOC", shell_complete=documents)
@json_option
@click.pass_obj
def command(place: Place, document: str, *, in_json: bool) -> None:
    """Tell the reasons of a document's last render, or of the one to come, and the chain from the edited file."""
    answer = _why(place, place.target(document))
    warn_of_config(answer)
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.why(answer)))


def _why(place: Place, document: str) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.why(place.root, document)

    return ask(lambda: ControlClient(place.root).why(document), at_once)
