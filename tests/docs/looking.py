"""Looks at code that is shown and not run: it must be of the language that it is said to be."""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import yaml

from config.helpers import schemas
from kahnd.config.loader import load
from kahnd.config.tables import TABLES
from kahnd.render.frontmatter import split
from kahnd.render.jinja.environment import ProjectEnvironment
from kahnd.render.markdown.page_source import as_template

PROJECT: Final = '[project]\nsources = ["docs"]\n'


def toml(text: str, folder: Path) -> None:
    """TOML; and a `kahnd.toml` that loads, where its tables are those of one. A part of one is made whole."""
    found = tomllib.loads(text)
    if found and found.keys() <= {*TABLES, "rules"}:
        (folder / "kahnd.toml").write_text(text if "project" in found else PROJECT + text)
        load(folder, schemas(), {})


def page(text: str, _folder: Path) -> None:
    """Front matter and a Jinja template."""
    parts = split(text, "page.md")
    ProjectEnvironment(of_pages=True).parse(as_template(parts.body, parts.lines))


def template(text: str, _folder: Path) -> None:
    """A Jinja template."""
    ProjectEnvironment().parse(text)


def python(text: str, _folder: Path) -> None:
    """Python."""
    compile(text, "shown.py", "exec")


def shell(text: str, _folder: Path) -> None:
    """Shell."""
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def data(text: str, _folder: Path) -> None:
    """YAML, or JSON, which is YAML too."""
    yaml.safe_load(text)


LANGUAGES: Final[Mapping[str, Callable[[str, Path], object]]] = {
    "toml": toml,
    "markdown": page,
    "html+jinja": template,
    "xml+jinja": template,
    "css+jinja": template,
    "jinja": template,
    "python": python,
    "sh": shell,
    "yaml": data,
    "json": lambda text, _folder: json.loads(text),
    "text": lambda _text, _folder: None,
    "vim": lambda _text, _folder: None,
    "systemd": lambda _text, _folder: None,
}
"""The languages of the examples that are checked."""
