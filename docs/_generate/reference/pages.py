"""The pages below docs/reference: what stands in them between two marks is from the code, and so is all of api.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from reference import api, commandline, configuration, log, placeholders, templates

DOCS: Final = Path(__file__).parents[2]
FOLDER: Final = DOCS / "reference"
PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "tables": configuration.tables,
    "rules": configuration.rules,
    "example": configuration.example,
    "commands": commandline.commands,
    "events": log.events,
    "keys": log.keys,
    "functions": templates.functions,
    "page": templates.page,
    "output": templates.output,
    "document": templates.document,
    "output-placeholders": placeholders.of_outputs,
    "command-placeholders": placeholders.of_commands,
}
_PART: Final = re.compile(r"(<!-- from the code: ([\w-]+) -->\n).*?(<!-- to here -->)", re.DOTALL)


def filled(text: str) -> str:
    """The page with each part as the code tells it. Raises KeyError for a part that there is not."""
    return _PART.sub(lambda mark: f"{mark[1]}\n{PARTS[mark[2]]().strip()}\n\n{mark[3]}", text)


def current() -> dict[Path, str]:
    """Every page of the reference as it should be now."""
    pages = {path: filled(path.read_text()) for path in sorted(FOLDER.glob("*.md")) if path.name != "api.md"}
    described = FOLDER / "openapi.json"
    if described.exists():
        pages[FOLDER / "api.md"] = api.page(json.loads(described.read_text()))
    return pages


def write() -> None:
    """Write those that are not as they should be."""
    for path, text in current().items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
