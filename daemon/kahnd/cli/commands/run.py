"""`kahnd run`: the daemon, in the foreground."""

from __future__ import annotations

import click

from kahnd.cli.place import Place


@click.command(short_help="The daemon, in the foreground")
@click.pass_obj
def command(place: Place) -> int:
    """Run the daemon, in the foreground."""
    root = place.root
    from kahnd.service import daemon  # noqa: PLC0415 (the whole engine: only this command needs it)

    return daemon.run(root)
