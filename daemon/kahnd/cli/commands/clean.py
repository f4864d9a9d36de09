"""`kahnd clean`: removes the outputs that kahnd made."""

from __future__ import annotations

import click

from kahnd.cli import report
from kahnd.cli.options import examples, json_option
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json
from kahnd.errors import UsageError


@click.command(
    short_help="Remove the outputs that kahnd made",
    epilog=examples(
        ("kahnd clean --dry-run", "what would go"),
        ("kahnd clean", "all outputs; the next build makes them again"),
        ("kahnd clean --state", "the database, the log and the history too: as if kahnd had never run"),
    ),
)
@click.option("--state", is_flag=True, help="Remove the database and everything in .kahnd too.")
@click.option("-n", "--dry-run", is_flag=True, help="Only tell what would be removed.")
@json_option
@click.pass_obj
def command(place: Place, *, state: bool, dry_run: bool, in_json: bool) -> int:
    """Remove the outputs that kahnd made, and the folders these leave empty. What it did not make stays.

    While a daemon runs this is refused, since it would make them again at once.
    """
    root = place.root
    from kahnd.service import cleaning  # noqa: PLC0415 (slow to import)

    answer = cleaning.clean(root, state=state, dry_run=dry_run)
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.clean(answer)))
    return UsageError.exit_code if answer["kept"] else 0
