"""The `kahnd` command: finds the sub-command, runs it, and turns what went wrong into words and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

import click
from click.exceptions import NoArgsIsHelpError, NoSuchCommand

from kahnd import __version__
from kahnd.cli import streams
from kahnd.cli.complaints import tell
from kahnd.cli.place import Place
from kahnd.core.problem import Problem
from kahnd.errors import KahndError, UsageError

COMMANDS: Final = (
    "init",
    "run",
    "build",
    "plan",
    "retry",
    "status",
    "wait",
    "why",
    "graph",
    "history",
    "logs",
    "service",
    "clean",
    "doctor",
    "completion",
)
"""In the order of the help; each is `command` in a module of its own, imported when it is asked for."""
INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called: the rest of the program stays out of the way."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """All names, for the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """The command of that name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"kahnd.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but with the nearest name."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None


_CODES: Final = """\
\b
Exit codes:
  0  all good                     4    no daemon, or it does not answer
  1  documents failed or blocked  5    the database, or the disk
  2  the call, or kahnd.toml      130  interrupted
  3  a cycle
1 and 3 are of build, wait and retry: what only reports exits with 0 when it could."""


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=_CODES
)
@click.option(
    "-C",
    "folder",
    metavar="DIR",
    default=".",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Run as if started in this folder.",
)
@click.version_option(__version__, "--version", prog_name="kahnd", message="%(prog)s %(version)s")
@click.pass_context
def kahnd(context: click.Context, folder: Path) -> None:
    """Keep rendered documents up to date with their sources while you write."""
    context.color = True  # what is painted is meant to be: see terminal.paint
    context.obj = Place(_start(folder))


def _start(folder: Path) -> Path:
    """Absolute, by the way that the user came, links and all. Raises UsageError where the current folder is gone."""
    try:
        return Path(os.path.abspath(folder))  # noqa: PTH100 (it leaves links alone)
    except FileNotFoundError:
        remedy = "go to one that is there, or name the project's: kahnd -C /PATH"
        raise UsageError(Problem("the current folder has been removed", remedy=remedy)) from None


def run(arguments: Sequence[str]) -> int:
    """Run a command line to its end; the exit code."""
    in_json = "--json" in arguments  # also where the rest of the line is wrong
    try:
        code = kahnd.main(list(arguments), prog_name="kahnd", standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _told(_usage(error), in_json=in_json)
    except KahndError as error:
        return _told(error, in_json=in_json)
    except OSError as error:  # where nothing nearer knows better; a reader that has gone is click's
        return _told(_refused(error), in_json=in_json)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _told(error: KahndError, *, in_json: bool) -> int:
    try:
        return tell(error, in_json=in_json)
    except OSError:  # nobody can be told anything: the code is all there is
        return error.exit_code


def _usage(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else "kahnd"
    message = error.format_message()
    return UsageError(Problem(message[:1].lower() + message[1:].rstrip("."), remedy=f"see `{where} --help`"))


def _refused(error: OSError) -> UsageError:
    """What the system said, and of which file."""
    message = error.strerror or str(error) or type(error).__name__
    file = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | Path) else ""
    remedy = (
        "see to what stands there, and to space and permissions" if file else "see to the machine's space and limits"
    )
    return UsageError(Problem(message[:1].lower() + message[1:], file, remedy=remedy))


def main() -> NoReturn:
    """Where the installed script begins."""
    streams.prepare()
    code = run(sys.argv[1:])
    streams.finish()
    sys.exit(code)
