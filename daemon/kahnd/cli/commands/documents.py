"""The commands about documents.

`status`, `plan`, `why`, `history` and `graph` show how things are and change nothing. `build`, `wait` and `retry` make
or await outputs.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TypedDict, Unpack

import click

from kahnd.api.client import ControlClient
from kahnd.cli import report
from kahnd.cli.context import CommandContext, ask, documents, examples, form_options, json_option, targets_argument
from kahnd.cli.output import echo_problems, show, warn_of_config
from kahnd.cli.terminal import print_json, progress_bar
from kahnd.core.problem import Problem
from kahnd.errors import NoDaemonError, UsageError


@click.command(
    short_help="Show the daemon, documents by status, failures",
    epilog=examples(
        ("kahnd status", "for people"),
        ("kahnd status --json | jq .documents", "for scripts"),
    ),
)
@form_options
@click.pass_obj
def status(context: CommandContext, *, form: str | None) -> int:
    """Show the daemon, the documents by status, the last build and the failures."""
    with echo_problems(context, wanted=form == "problems"):
        answer = ask(context, lambda host: host.status())
    show(context, answer, report.status, form)
    return NoDaemonError.exit_code if answer["pid"] is None else 0


@click.command(
    short_help="Show what a build would render, and why",
    epilog=examples(
        ("kahnd plan", "everything"),
        ("kahnd plan docs/index.md", "one document and its dependencies"),
        ("kahnd plan --json | jq .reasons", "for scripts"),
    ),
)
@targets_argument
@json_option
@click.pass_obj
def plan(context: CommandContext, targets: tuple[str, ...], *, in_json: bool) -> None:
    """Show the documents that a build would render now, by generation, with the reason for each. Changes nothing."""
    wanted = context.targets(targets)
    answer = ask(context, lambda host: host.plan(wanted))
    warn_of_config(answer)
    if in_json:
        print_json(answer)
    else:
        click.echo("\n".join(report.plan(answer)))


@click.command(
    short_help="Explain why a document was or would be rendered",
    epilog=examples(
        ("kahnd why docs/index.md", "the reasons and the chain from the edited file"),
        ("kahnd why docs/index.md --json", "for scripts"),
    ),
)
@click.argument("document", metavar="DOC", shell_complete=documents)
@json_option
@click.pass_obj
def why(context: CommandContext, document: str, *, in_json: bool) -> None:
    """Explain a document's last render, or its next one: the reasons and the chain from the edited file."""
    target = context.target(document)
    answer = ask(context, lambda host: host.why(target))
    warn_of_config(answer)
    if in_json:
        print_json(answer)
    else:
        click.echo("\n".join(report.why(answer)))


class HistoryOptions(TypedDict):
    """The options of `kahnd history`, by the names of their parameters."""

    limit: int
    trace: str | None
    output: str | None
    in_json: bool


@click.command(
    short_help="List past renders, or trace a build",
    epilog=examples(
        ("kahnd history -n 5", "the last five renders"),
        ("kahnd history docs/index.md", "the renders of one document"),
        ("kahnd history --trace last -o build.json", "the last build, for https://ui.perfetto.dev"),
    ),
)
@click.argument("document", required=False, metavar="[DOC]", shell_complete=documents)
@click.option("-n", "limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most N renders.")
@click.option("--trace", metavar="BUILD", help="Write a Chrome trace of this build instead: its id, or `last`.")
@click.option("-o", "output", metavar="FILE", help="The file for the trace; `-` for standard output.")
@json_option
@click.pass_obj
def history(context: CommandContext, document: str | None, **options: Unpack[HistoryOptions]) -> None:
    """List past renders, newest first, of all documents or of one; deleted documents included.

    With --trace, write when each rendering of a build was ready, began and ended, by which worker, what it waited for,
    and the critical path. BUILD is an id, as in `kahnd logs`, or its beginning, or `last`: the last build that rendered
    anything.
    """
    if options["trace"] is not None:
        _trace(context, document, options["trace"], options["output"], in_json=options["in_json"])
        return
    if options["output"] is not None:
        raise click.UsageError("-o goes with --trace", click.get_current_context())
    target = None if document is None else context.target(document)
    answer = ask(context, lambda host: host.history(target, options["limit"]))
    entries = answer["history"]
    warn_of_config(answer)
    if options["in_json"]:
        print_json(entries)
    else:
        click.echo("\n".join(report.history(entries)))


def _trace(context: CommandContext, document: str | None, build: str, output: str | None, *, in_json: bool) -> None:
    """Writes the trace of a build to a file; with `in_json`, prints its timeline."""
    if document is not None:
        raise click.UsageError("--trace takes no document: it shows a whole build", click.get_current_context())
    if (output is None) is not in_json:
        raise click.UsageError("--trace needs either -o FILE or --json", click.get_current_context())
    answer = ask(context, lambda host: host.timeline(build))
    warn_of_config(answer)
    if output is None:
        print_json(answer)
        return
    from kahnd.api.timelines import chrome_trace  # noqa: PLC0415 - with all schemas, which other commands do not need

    text = json.dumps(chrome_trace(answer), separators=(",", ":"))
    if output == "-":
        click.echo(text)
        return
    try:
        (context.start / output).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(Problem(f"can't write the trace: {error.strerror}", output)) from None
    click.echo("\n".join(report.trace(answer, output)))


@click.command(
    short_help="Show the dependency graph",
    epilog=examples(
        ("kahnd graph | dot -Tsvg > graph.svg", "the whole graph as an image"),
        ("kahnd graph docs/index.md --format mermaid", "what one document depends on"),
        ("kahnd graph data/sales.csv --reverse", "what depends on a data sheet"),
    ),
)
@click.argument("target", required=False, metavar="[TARGET]", shell_complete=documents)
@click.option("--format", "kind", type=click.Choice([*report.GRAPH_FORMATS, "json"]), default="dot", show_default=True)
@click.option("--reverse", is_flag=True, help="Show the target's dependents instead.")
@json_option
@click.pass_obj
def graph(context: CommandContext, target: str | None, kind: str, *, reverse: bool, in_json: bool) -> None:
    """Show the whole graph, or a target and its dependencies. Arrows point from a document to what it needs."""
    if reverse and target is None:
        raise click.UsageError("--reverse needs a target", click.get_current_context())
    wanted = None if target is None else context.target(target)
    answer = ask(context, lambda host: host.graph(wanted, reverse=reverse))
    warn_of_config(answer)
    if in_json or kind == "json":
        print_json(answer)
    else:
        click.echo(report.GRAPH_FORMATS[kind](answer))


@click.command(
    short_help="Bring everything, or the targets, up to date",
    epilog=examples(
        ("kahnd build", "everything"),
        ("kahnd build site/index.html", "one output and its dependencies"),
        ("kahnd build --force", "everything, even what is up to date"),
        ("kahnd build --problems", "failures in a form that editors parse"),
    ),
)
@targets_argument
@click.option("--force", is_flag=True, help="Also render what is up to date.")
@click.option("--drafts", is_flag=True, help="Also render drafts and pages with a date to come, without a daemon.")
@form_options
@click.pass_obj
def build(context: CommandContext, targets: tuple[str, ...], *, force: bool, drafts: bool, form: str | None) -> int:
    """Bring everything, or the targets and their dependencies, up to date.

    A target is a document or an output. If a daemon runs for this project, it does the work.
    """
    with echo_problems(context, wanted=form == "problems"), progress_bar() as on_progress:
        wanted = context.targets(targets)
        answer = ask(context, lambda host: host.build(wanted, force=force, progress=on_progress), drafts=drafts)
    show(context, answer, report.build, form)
    return report.exit_code(answer)


@click.command(
    short_help="Wait until all changes are rendered",
    epilog=examples(
        ("kahnd wait && rsync -a site/ host:/srv/", "publish what you just saved"),
        ("kahnd wait docs/index.md --timeout 10", "one document, for at most ten seconds"),
    ),
)
@targets_argument
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Give up after this many seconds.")
@form_options
@click.pass_obj
def wait(context: CommandContext, targets: tuple[str, ...], timeout: float | None, *, form: str | None) -> int:
    """Wait until the daemon has rendered every change made before this call."""
    with echo_problems(context, wanted=form == "problems"), progress_bar() as on_progress:
        answer = ControlClient(context.root).wait(context.targets(targets), timeout=timeout, progress=on_progress)
    show(context, answer, report.build, form)
    return report.exit_code(answer)


@click.command(
    short_help="Render failed documents again",
    epilog=examples(
        ("kahnd retry", "every failed document"),
        ("kahnd retry docs/index.md", "failures among one document and its dependencies"),
    ),
)
@click.argument("documents", nargs=-1, metavar="[DOC]...", shell_complete=documents)
@form_options
@click.pass_obj
def retry(context: CommandContext, documents: tuple[str, ...], *, form: str | None) -> int:
    """Render failed documents again: all, or those among the given documents and their dependencies.

    Documents that they blocked are rendered too. Other changes wait for `build` or the daemon.
    """
    with echo_problems(context, wanted=form == "problems"), progress_bar() as on_progress:
        wanted = context.targets(documents)
        answer = ask(context, lambda host: host.retry(wanted, progress=on_progress))
    show(context, answer, partial(report.build, nothing="nothing to try again"), form)
    return report.exit_code(answer)
