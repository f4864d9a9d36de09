"""`kahnd completion`: what a shell needs to complete kahnd's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_KAHND_COMPLETE"
"""By which click, and so the script, asks for what can follow."""

_HOW = """\
\b
Put it where your shell finds it:
  bash  eval "$(kahnd completion bash)"                                     in ~/.bashrc
  zsh   eval "$(kahnd completion zsh)"                                      in ~/.zshrc, after compinit
  fish  kahnd completion fish > ~/.config/fish/completions/kahnd.fish"""


@click.command(short_help="Completion for bash, zsh or fish", epilog=_HOW)
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, and the names of documents and outputs."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no {shell}", context)
    click.echo(kind(context.find_root().command, {}, "kahnd", VARIABLE).source())
