"""The table of decisions, from the front matter of the records below docs/decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from reference.words import sentence, table

FOLDER: Final = Path(__file__).parents[2] / "decisions"


def records() -> list[Path]:
    """All records, by number."""
    return sorted(FOLDER.glob("[0-9]*.md"))


def decisions() -> str:
    """Returns a row for each record: its number, its title as a link, and what it is about."""
    rows = ((path.name[:4], path.name, front_matter(path)) for path in records())
    return table(
        ("number", "decision", "in short"),
        ((number, f"[{meta['title']}]({name})", sentence(meta["about"])) for number, name, meta in rows),
    )


def front_matter(path: Path) -> dict[str, Any]:
    """Returns a record's front matter."""
    _, yaml_text, _ = path.read_text().split("---\n", 2)
    return dict(yaml.safe_load(yaml_text))
