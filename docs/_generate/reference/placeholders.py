"""Placeholders in a rule's `output` and `command`, with what they stand for in an example."""

from __future__ import annotations

from typing import Final

from kahnd.core.model import DocumentId
from kahnd.core.rules import OUTPUT_PLACEHOLDERS, Layout, Rule
from kahnd.render.parameters import COMMAND_PLACEHOLDERS
from reference.words import table

DOCUMENT: Final = DocumentId("docs/guide/start.de.md")
OUTPUTS: Final = {
    "dir": "its folder, without the source folder's name; nothing, and no slash after it, where it has none",
    "stem": "its name without the ending",
    "name": "its name",
    "ext": "the ending, without the dot",
}
COMMANDS: Final = {
    "source": "the document",
    "output": "the file to write",
    "deps": "the files of its direct dependencies, in the order found; alone as a word, one word each: "
    "a plain document as it is, a rendered one as its output; without those that only `{depfile}` tells of",
    "dir": "the document's folder, with the source folder's name; `.` at the top",
    "stem": "its name without the ending",
    "root": "the project's folder, absolute",
    "depfile": "a file in which the program lists what it read, as compilers do for make",
}


def of_outputs() -> str:
    """Those of `output`."""
    layout = Layout(("docs",), "site")
    rows = []
    for name in OUTPUT_PLACEHOLDERS:
        place = layout.output_by(Rule(0, "**", "copy", f"{{{name}}}"), DOCUMENT)
        rows.append((f"`{{{name}}}`", OUTPUTS[name], f"`{place.removeprefix('site/')}`"))
    return table(("placeholder", "stands for", f"of `{DOCUMENT}`"), rows)


def of_commands() -> str:
    """Those of `command`."""
    return table(("placeholder", "stands for"), [(f"`{{{name}}}`", COMMANDS[name]) for name in COMMAND_PLACEHOLDERS])
