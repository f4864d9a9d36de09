"""`kahnd doctor`: what is not as it should be, and how to mend it."""

from __future__ import annotations

import click

from kahnd.cli import report
from kahnd.cli.options import examples, json_option
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json


@click.command(
    short_help="What is not as it should be, and how to mend it",
    epilog=examples(
        ("kahnd doctor", "everything there is to check, each with its remedy"),
        ("kahnd doctor --json | jq -e .sound", "for scripts: exits with 1 if anything is to be seen to"),
    ),
)
@json_option
@click.pass_obj
def command(place: Place, *, in_json: bool) -> None:
    """Check kahnd.toml, the daemon, the database, the programs that rules run, the machine's limits and room.

    As all that only reports, this exits with 0 when it could answer, whatever it found.
    """
    root = place.root
    from kahnd.service import checkup  # noqa: PLC0415 (slow to import)

    answer = checkup.checkup(root)
    if in_json:
        show_json(answer)
    else:
        click.echo("\n".join(report.doctor(answer)))
