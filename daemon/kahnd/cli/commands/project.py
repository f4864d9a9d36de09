"""The commands for a project as a whole, and for the shell.

`init` creates a project, `import` makes one of another generator's site, `clean` removes what kahnd made, `doctor`
checks it. `completion` prints the completion script of a shell.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from shutil import which
from typing import Final

import click
from click.shell_completion import FishComplete, get_completion_class

from kahnd.cli import report
from kahnd.cli.context import CommandContext, examples, json_option
from kahnd.cli.terminal import print_json
from kahnd.core.problem import Problem
from kahnd.core.project_files import CONFIG_FILE
from kahnd.core.text import escape_controls
from kahnd.errors import UsageError

RECIPES: Final[Mapping[str, tuple[str, ...]]] = {
    "diagrams": ("dot", "plantuml"),
    "styles": ("sassc", "esbuild"),
    "thumbnails": ("convert",),
    "latex": ("latexmk", "pdflatex", "bibtex", "dot"),
    "typst": ("typst", "dot"),
    "pandoc": ("pandoc", "dot"),
    "notebooks": ("jupyter-nbconvert",),
    "sphinx": ("sphinx-build",),
}
"""The folders in `starters/recipes`, each a project around programs, and these."""
_RECIPE: Final = click.Choice(tuple(RECIPES))


@click.command(
    short_help="Create a small project",
    epilog=examples(
        ("kahnd init notes", "in the folder notes"),
        ("kahnd init", "in the current folder"),
        ("kahnd init --site docs", "a site with kahnd's theme, in the folder docs"),
        ("kahnd init --recipe latex paper", "a project for latexmk, in the folder paper"),
    ),
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("--site", "kind", flag_value="site", help="Create a site with navigation, search and a feed.")
@click.option("--book", "kind", flag_value="book", help="Create a book: chapters in order, and all on one page.")
@click.option("--report", "kind", flag_value="report", help="Create a report: one page with figures and tables.")
@click.option("--recipe", metavar="NAME", type=_RECIPE, help=f"Create a project for programs: {', '.join(RECIPES)}.")
@json_option
@click.pass_obj
def init(context: CommandContext, folder: Path, kind: str | None, recipe: str | None, *, in_json: bool) -> None:
    """Create a small project. It never overwrites a file.

    Without an option, the project shows every concept of kahnd once. A site, a book and a report use kahnd's theme. A
    recipe's programs have to be installed.
    """
    if kind and recipe:
        raise UsageError(Problem(f"--{kind} and --recipe make different projects", remedy="give one of them"))
    target = context.start / folder
    parts = (f"recipes/{recipe}",) if recipe else _STARTERS[kind]
    starter = {name: file for part in parts for name, file in _walk(files("kahnd.cli") / "starters" / part)}
    _check_free(target, starter, "choose an empty folder: kahnd init DIR")
    _write(target, {name: origin.read_bytes() for name, origin in starter.items()})
    if in_json:
        print_json({"root": str(target.resolve()), "files": list(starter)})
    else:
        about = _about_programs(RECIPES[recipe]) if recipe else _ABOUT[kind]
        index = "site/index.html" if "docs/index.md" in starter else "site/"
        click.echo(_next_steps(escape_controls(str(folder)), len(starter), index, about))


@click.command(
    "import",
    short_help="Make a project of a site of MkDocs, mdBook or Hugo",
    epilog=examples(
        ("kahnd import mkdocs", "in the folder with mkdocs.yml"),
        ("kahnd import mdbook book", "in the folder book, which has book.toml"),
        ("kahnd import hugo", "in the folder with hugo.toml; its pages are written anew into docs"),
    ),
)
@click.argument("kind", type=click.Choice(("mkdocs", "mdbook", "hugo")), metavar="KIND")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@json_option
@click.pass_obj
def import_site(context: CommandContext, kind: str, folder: Path, *, in_json: bool) -> None:
    """Make a project of the site in a folder, beside its configuration. KIND is mkdocs, mdbook or hugo.

    It changes and overwrites no file. Pages of MkDocs and mdBook stay as they are; those of Hugo are written anew into
    docs, since their front matter and shortcodes differ. Options without an equivalent are listed.
    """
    from kahnd.cli import importing, importing_hugo  # noqa: PLC0415 (slow to import: they read YAML)

    target = context.start / folder
    imported = importing_hugo.read(target) if kind == "hugo" else importing.read(kind, target)
    texts = imported.texts("public" if os.path.lexists(target / "site") else "site")
    theme = dict(_walk(files("kahnd.cli") / "starters" / "theme"))
    hooks = dict(_walk(files("kahnd.cli") / "starters" / kind)) if kind != "mkdocs" else {}
    made = {name: origin.read_bytes() for name, origin in (theme | hooks).items()}
    made |= {name: text.encode() for name, text in texts.items()} | imported.files
    _check_free(target, made, "move what is there away, or import a copy of the site")
    _write(target, made)
    if in_json:
        notes = [{"message": each.message, "file": each.file, "line": each.line} for each in imported.notes]
        print_json({"root": str(target.resolve()), "files": list(made), "notes": notes})
        return
    for each in imported.notes:
        click.echo(escape_controls(str(each)))
    click.echo(f"{len(made)} files made, {len(imported.notes)} things to look at. Next: kahnd run")


def _write(target: Path, made: Mapping[str, bytes]) -> None:
    for name, content in made.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:  # which follows no link
            file.write(content)


_STARTERS: Final[Mapping[str | None, tuple[str, ...]]] = {
    None: ("basic",),
    "site": ("theme", "site"),
    "book": ("theme", "book"),
    "report": ("report",),
}
"""The folders in `starters` whose files a project gets."""


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}{each.name}"
        if each.is_dir():
            yield from _walk(each, f"{name}/")
        else:
            yield name, each


def _check_free(target: Path, names: Iterable[str], remedy: str) -> None:
    """Raises UsageError if a file would be overwritten."""
    if os.path.lexists(target / CONFIG_FILE):
        raise UsageError(Problem(f"{target} is a project already: it has a {CONFIG_FILE}", remedy="see `kahnd status`"))
    above = {str(folder) for name in names for folder in PurePosixPath(name).parents if folder.name}
    links = [name for name in sorted(above) if (target / name).is_symlink()]
    taken = links + [name for name in names if os.path.lexists(target / name)]
    if taken:
        message = f"{target} already has {', '.join(taken)}"
        raise UsageError(Problem(message, remedy=remedy))


def _next_steps(folder: str, count: int, index: str, about: str) -> str:
    here = "" if folder == "." else f"  cd {folder}\n"
    return f"""\
{count} files made. Next:

{here}  kahnd build    renders everything once, into site/
  kahnd run      keeps it up to date while you edit; Ctrl-C stops it
  kahnd open     shows it in a browser while that runs
  kahnd graph    shows what depends on what

Then open {"" if folder == "." else f"{folder}/"}{index} in a browser. {about}"""


def _about_programs(programs: Sequence[str]) -> str:
    """Returns which programs a recipe runs, and which of these are not there."""
    missing = [each for each in programs if which(each) is None]
    lacks = f" Install {' and '.join(missing)} first." if missing else ""
    return f"{CONFIG_FILE} says how it comes about. It runs {', '.join(programs)}.{lacks}"


_PAGES: Final = "Press / on its pages to search. Set the title in data/site.yaml; {} comes from docs/."
_ABOUT: Final[Mapping[str | None, str]] = {
    None: f"{CONFIG_FILE} says how it comes about.",
    "site": _PAGES.format("the navigation"),
    "book": _PAGES.format("the order of the chapters"),
    "report": "Print it, or save it as a PDF, from there. The text is docs/index.md.",
}


@click.command(
    short_help="Remove the outputs that kahnd made",
    epilog=examples(
        ("kahnd clean --dry-run", "list what would be removed"),
        ("kahnd clean", "remove all outputs; the next build makes them again"),
        ("kahnd clean --state", "also remove the database, the log and the history"),
    ),
)
@click.option("--state", is_flag=True, help="Also remove the database and everything in .kahnd.")
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would be removed.")
@json_option
@click.pass_obj
def clean(context: CommandContext, *, state: bool, dry_run: bool, in_json: bool) -> int:
    """Remove the outputs that kahnd made, and the folders that this leaves empty. All other files stay.

    Stop the daemon first: it would make the outputs again at once, so `clean` refuses while one runs.
    """
    root = context.root
    from kahnd.app import cleaning  # noqa: PLC0415 (slow to import)

    answer = cleaning.clean(root, state=state, dry_run=dry_run)
    if in_json:
        print_json(answer)
    else:
        click.echo("\n".join(report.clean(answer)))
    return UsageError.exit_code if answer["kept"] else 0


@click.command(
    short_help="Check the project and the machine",
    epilog=examples(
        ("kahnd doctor", "run every check; each problem has a remedy"),
        ("kahnd doctor --json | jq -e .sound", "for scripts: exit with 1 if there is a problem"),
    ),
)
@json_option
@click.pass_obj
def doctor(context: CommandContext, *, in_json: bool) -> None:
    """Check kahnd.toml, the daemon, the database, the programs that rules run, limits and disk space.

    Exits with 0 if the checks could be run, whatever they found; `sound` in the JSON says whether all is well.
    """
    root = context.root
    from kahnd.app import doctor  # noqa: PLC0415 (slow to import)

    answer = doctor.checkup(root)
    if in_json:
        print_json(answer)
    else:
        click.echo("\n".join(report.doctor(answer)))


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
"""Click's script, except that names are not expanded and that bash quotes them (`compopt -o filenames`)."""
FISH = FishComplete.source_template.replace('string split ","', 'string split -m 1 ","')
"""Click's script, except that names may contain commas. fish and zsh quote what they insert."""
_TEMPLATES = {"bash": BASH, "fish": FISH}
VARIABLE = "_KAHND_COMPLETE"
"""The environment variable by which the script asks click for completions."""

_INSTALLATION = """\
\b
Where to put it:
  bash  eval "$(kahnd completion bash)"                                     in ~/.bashrc
  zsh   eval "$(kahnd completion zsh)"                                      in ~/.zshrc, after compinit
  fish  kahnd completion fish > ~/.config/fish/completions/kahnd.fish"""


@click.command(short_help="Print the completion script for bash, zsh or fish", epilog=_INSTALLATION)
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that makes a shell complete commands, options, documents and outputs."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no {shell}", context)
    kind = type(kind.__name__, (kind,), {"source_template": _TEMPLATES.get(shell, kind.source_template)})
    click.echo(kind(context.find_root().command, {}, "kahnd", VARIABLE).source())
