"""The command line reference, from click's commands."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from kahnd.cli.main import kahnd
from reference.words import table


def commands() -> str:
    """Returns the usage, help, options and examples of every command."""
    return "\n".join(_told(kahnd, click.Context(kahnd, info_name="kahnd")))


def _told(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"### `{context.command_path}`\n"
    yield f"```text\n{_usage(command, context)}\n```\n"
    yield f"{_text(command.help)}\n"
    if options := list(_options(command, context)):
        yield table(("option", "does"), options)
    if command.epilog:
        yield f"```text\n{_text(command.epilog)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if below := command.get_command(context, name):
                yield from _told(below, click.Context(below, info_name=name, parent=context))


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """Yields all options but --help. The text above describes the arguments."""
    for each in command.params:
        if isinstance(each, click.Option) and (record := each.get_help_record(context)):
            yield f"`{record[0]}`", record[1]


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _text(given: str | None) -> str:
    """Removes click's mark for text that is not to be wrapped."""
    return inspect.cleandoc((given or "").replace("\b\n", "")).strip()
