"""Writes the generated parts of docs/reference and docs/decisions: text between two marks, and all of api.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from reference import api, commandline, configuration, decisions, log, placeholders, templates

DOCS: Final = Path(__file__).parents[2]
FOLDER: Final = DOCS / "reference"
API: Final = FOLDER / "api.md"
PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "tables": configuration.tables,
    "rules": configuration.rules,
    "example": configuration.example,
    "commands": commandline.commands,
    "events": log.events,
    "keys": log.keys,
    "functions": templates.functions,
    "filters": templates.filters,
    "page": templates.page,
    "output": templates.output,
    "document": templates.document,
    "output-placeholders": placeholders.of_outputs,
    "command-placeholders": placeholders.of_commands,
    "decisions": decisions.decisions,
}
_PART: Final = re.compile(r"(<!-- from the code: ([\w-]+) -->\n).*?(<!-- to here -->)", re.DOTALL)


def filled(text: str) -> str:
    """Returns the page with each part generated anew. Raises KeyError for an unknown part."""
    return _PART.sub(lambda mark: f"{mark[1]}\n{PARTS[mark[2]]().strip()}\n\n{mark[3]}", text)


def paths() -> list[Path]:
    """Returns the pages that have generated text."""
    return [*sorted({*FOLDER.glob("*.md"), API}), decisions.FOLDER / "index.md"]


def current() -> dict[Path, str]:
    """Returns every generated page as it should be now."""
    return {path: _api() if path == API else filled(path.read_text()) for path in paths()}


def _api() -> str:
    return api.page(json.loads((FOLDER / "openapi.json").read_text()))


def write() -> None:
    """Writes the pages that are out of date."""
    for path, text in current().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
