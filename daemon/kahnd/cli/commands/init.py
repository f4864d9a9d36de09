"""`kahnd init`: a small project that renders, with every concept in it once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

import click

from kahnd.cli.options import examples, json_option
from kahnd.cli.place import Place
from kahnd.cli.terminal import show_json, tame
from kahnd.config.places import CONFIG_FILE
from kahnd.core.problem import Problem
from kahnd.errors import UsageError


@click.command(
    short_help="A small project that renders",
    epilog=examples(
        ("kahnd init notes", "in a new folder"),
        ("kahnd init", "here"),
    ),
)
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@json_option
@click.pass_obj
def command(place: Place, folder: Path, *, in_json: bool) -> None:
    """Make a small project that renders, with every concept in it once. Nothing is asked, and nothing written over."""
    target = place.start / folder
    starter = dict(_walk(files("kahnd.cli") / "starter"))
    _check_free(target, starter)
    for name, origin in starter.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:  # which follows no link
            file.write(origin.read_bytes())
    if in_json:
        show_json({"root": str(target.resolve()), "files": list(starter)})
    else:
        click.echo(_next_steps(tame(str(folder)), len(starter)))


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}{each.name}"
        if each.is_dir():
            yield from _walk(each, f"{name}/")
        else:
            yield name, each


def _check_free(target: Path, names: dict[str, Traversable]) -> None:
    """Nothing of the user's is ever written over. Raises UsageError."""
    if os.path.lexists(target / CONFIG_FILE):
        raise UsageError(Problem(f"{target} is a project already: it has a {CONFIG_FILE}", remedy="see `kahnd status`"))
    above = {str(folder) for name in names for folder in PurePosixPath(name).parents if folder.name}
    links = [name for name in sorted(above) if (target / name).is_symlink()]
    taken = links + [name for name in names if os.path.lexists(target / name)]
    if taken:
        message = f"{target} already has {', '.join(taken)}"
        raise UsageError(Problem(message, remedy="choose an empty folder: kahnd init DIR"))


def _next_steps(folder: str, count: int) -> str:
    here = "" if folder == "." else f"  cd {folder}\n"
    return f"""\
{count} files made. Next:

{here}  kahnd build    renders everything once, into site/
  kahnd run      keeps it up to date while you edit docs/
  kahnd graph    shows what depends on what

Look at site/index.html, and at {CONFIG_FILE} for how it comes about."""
