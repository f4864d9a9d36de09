"""The command line, as click knows it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from kahnd.cli.main import kahnd
from reference.words import table


def commands() -> str:
    """Every command: how it is called, what it does, its options, its examples."""
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
    """All but --help, which every command has; what an argument is, the text above says."""
    for each in command.params:
        if isinstance(each, click.Option) and (record := each.get_help_record(context)):
            yield f"`{record[0]}`", record[1]


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join([context.command_path, *command.collect_usage_pieces(context)])


def _text(given: str | None) -> str:
    """Without click's mark for text that is to be left as it is."""
    return inspect.cleandoc((given or "").replace("\b\n", "")).strip()
