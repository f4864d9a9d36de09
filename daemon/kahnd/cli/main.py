"""The `kahnd` command: finds and runs the sub-command, and turns errors into messages and exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NoReturn

import click
from click.exceptions import NoArgsIsHelpError, NoSuchCommand

from kahnd import __version__
from kahnd.cli.context import CommandContext
from kahnd.cli.output import report_error
from kahnd.core.problem import Problem
from kahnd.errors import KahndError, UsageError

COMMANDS: Final = {
    "init": "project",
    "import": "project",
    "run": "daemon",
    "build": "documents",
    "plan": "documents",
    "retry": "documents",
    "status": "documents",
    "wait": "documents",
    "why": "documents",
    "graph": "documents",
    "history": "documents",
    "open": "preview",
    "logs": "daemon",
    "service": "daemon",
    "clean": "project",
    "doctor": "project",
    "completion": "project",
}
"""The commands in the order of the help, each with its module in `cli.commands`, imported when it is called."""
_FUNCTIONS: Final = {"import": "import_site", "open": "open_page"}
"""The functions of commands whose names are no names in Python."""
INTERRUPTED: Final = 130
_STREAMS: Final = ("stdin", "stdout", "stderr")
"""The standard streams in the order of their descriptors."""


def load_command(name: str) -> click.Command:
    """Imports a command's module, and returns the command."""
    module = import_module(f"kahnd.cli.commands.{COMMANDS[name]}")
    command: click.Command = getattr(module, _FUNCTIONS.get(name, name))
    return command


class LazyGroup(click.Group):
    """Imports a command's module only when that command is called, so that commands start fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """Returns all names, for the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """Returns the command of that name, if it exists."""
        if cmd_name not in COMMANDS:
            return None
        return load_command(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolves a command as click does. The error for an unknown name suggests the nearest one."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            raise NoSuchCommand(error.command_name, possibilities=list(COMMANDS), ctx=ctx) from None


_CODES: Final = """\
\b
Exit codes:
  0  success                      4    no daemon, or it does not answer
  1  documents failed or blocked  5    the database or the disk failed
  2  wrong usage or kahnd.toml    130  interrupted
  3  a cycle
Only build, wait and retry exit with 1 and 3; commands that only report exit with 0."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_CODES,
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
    context.color = True  # terminal.paint decides about colours
    context.obj = CommandContext(_start(folder))


def _start(folder: Path) -> Path:
    """Returns the absolute folder, links not resolved. Raises UsageError if the current folder has been removed."""
    try:
        return Path(os.path.abspath(folder))  # noqa: PTH100 (it leaves links alone)
    except FileNotFoundError:
        remedy = "go to one that is there, or name the project's: kahnd -C /PATH"
        raise UsageError(Problem("the current folder has been removed", remedy=remedy)) from None


def run(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code."""
    in_json = "--json" in arguments  # also if the rest of the line is wrong
    try:
        code = kahnd.main(list(arguments), prog_name="kahnd", standalone_mode=False)
    except NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _report(_usage(error), in_json=in_json)
    except KahndError as error:
        return _report(error, in_json=in_json)
    except OSError as error:  # not handled more precisely below; click handles closed pipes
        if error.errno == errno.ENOMEM:  # of the file named, nothing is wrong
            raise MemoryError from error
        return _report(_system_error(error), in_json=in_json)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _report(error: KahndError, *, in_json: bool) -> int:
    try:
        return report_error(error, in_json=in_json)
    except OSError:  # the error cannot be printed: only the exit code is left
        return error.exit_code


def _usage(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = context.command_path if context else "kahnd"
    message = error.format_message()
    return UsageError(Problem(message[:1].lower() + message[1:].rstrip("."), remedy=f"see `{where} --help`"))


def _system_error(error: OSError) -> UsageError:
    """Turns an error of the system into a message that names the file."""
    message = error.strerror or str(error) or type(error).__name__
    file = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | Path) else ""
    remedy = (
        "see to what stands there, and to space and permissions" if file else "see to the machine's space and limits"
    )
    return UsageError(Problem(message[:1].lower() + message[1:], file, remedy=remedy))


def main() -> NoReturn:
    """Entry point of the installed script."""
    _prepare_streams()
    code = run(sys.argv[1:])
    _finish_streams()
    sys.exit(code)


def _prepare_streams() -> None:
    """Makes the standard streams accept any text, and opens closed ones (`2>&-`) on the null device.

    Otherwise the next file to be opened would get the descriptor, and output would be written into that file.
    """
    for number, name in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _point_to_null(number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name may be no UTF-8


def _finish_streams() -> None:
    """Flushes the standard streams, and points those that fail to the null device.

    Otherwise Python would fail at exit, with a traceback and an exit code of its own. The error was reported already.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _point_to_null(stream.fileno())


def _point_to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null == number:
        os.set_inheritable(number, True)  # noqa: FBT003 (os's)
        return
    os.dup2(null, number)
    os.close(null)
