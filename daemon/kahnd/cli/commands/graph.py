"""`kahnd graph`: what depends on what."""

from __future__ import annotations

import click

from kahnd.cli.completion import documents
from kahnd.cli.daemon_first import ask
from kahnd.cli.drawing import FORMATS
from kahnd.cli.options import examples, json_option
from kahnd.cli.place import Place
from kahnd.cli.showing import warn_of_config
from kahnd.cli.terminal import show_json
from kahnd.service.client import ControlClient, Json


@click.command(
    short_help="What depends on what",
    epilog=examples(
        ("kahnd graph | dot -Tsvg > graph.svg", "all of it, by Graphviz"),
        ("kahnd graph docs/index.md --format mermaid", "what one document depends on"),
        ("kahnd graph data/sales.csv --reverse", "what depends on a data sheet"),
    ),
)
@click.argument("target", required=False, metavar="[TARGET]", shell_complete=documents)
@click.option("--format", "kind", type=click.Choice([*FORMATS, "json"]), default="dot", show_default=True)
@click.option("--reverse", is_flag=True, help="What depends on the target, not what it depends on.")
@json_option
@click.pass_obj
def command(place: Place, target: str | None, kind: str, *, reverse: bool, in_json: bool) -> None:
    """Draw the whole graph, or what the target depends on; an arrow points to what is needed."""
    if reverse and target is None:
        raise click.UsageError("--reverse needs a target", click.get_current_context())
    answer = _graph(place, None if target is None else place.target(target), reverse=reverse)
    warn_of_config(answer)
    if in_json or kind == "json":
        show_json(answer)
    else:
        click.echo(FORMATS[kind](answer))


def _graph(place: Place, target: str | None, *, reverse: bool) -> Json:
    def at_once() -> Json:
        from kahnd.service import oneshot  # noqa: PLC0415 (the whole engine: only where no daemon runs)

        return oneshot.graph(place.root, target, reverse=reverse)

    return ask(lambda: ControlClient(place.root).graph(target, reverse=reverse), at_once)
