"""`kahnd completion`: what a shell needs to complete kahnd's words."""

from __future__ import annotations

import click
from click.shell_completion import FishComplete, get_completion_class

SHELLS = ("bash", "zsh", "fish")
BASH = """\
%(complete_func)s() {
    local type value

    while IFS=, read -r type value; do
        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
            if [[ $value == *[!A-Za-z0-9_-]* ]]; then
                compopt -o filenames 2> /dev/null
            fi
        fi
    done < <(IFS=$'\\n'; env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(complete_var)s=bash_complete "$1")

    return 0
}

%(complete_func)s_setup() {
    complete -o nosort -F %(complete_func)s %(prog_name)s
}

%(complete_func)s_setup;
"""
"""As click's, but that names are not expanded, and that bash quotes them: `filenames` has it do so."""
FISH = FishComplete.source_template.replace('string split ","', 'string split -m 1 ","')
"""As click's, but that a name may have commas. What fish and zsh put into the line is quoted by them."""
_TEMPLATES = {"bash": BASH, "fish": FISH}
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
    kind = type(kind.__name__, (kind,), {"source_template": _TEMPLATES.get(shell, kind.source_template)})
    click.echo(kind(context.find_root().command, {}, "kahnd", VARIABLE).source())
