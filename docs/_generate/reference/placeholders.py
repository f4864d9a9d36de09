"""The placeholders of a rule's `output` and `command`, with examples."""

from __future__ import annotations

from typing import Final

from kahnd.core.model import DocumentId
from kahnd.core.rules import OUTPUT_PLACEHOLDERS, Layout, Rule
from kahnd.render.renderers.parameters import COMMAND_PLACEHOLDERS
from reference.words import table

DOCUMENT: Final = DocumentId("docs/guide/start.de.md")
OUTPUTS: Final = {
    "dir": "its folder without the source folder's name; at the top it is empty, and the slash after it is dropped",
    "stem": "its name without the extension",
    "name": "its name",
    "ext": "the extension, without the dot",
    "hash": "12 hex digits of the hash of the output's bytes",
}
OF_FRONT_MATTER: Final = (
    ("{meta.NAME}", "a text, a number or the day of a date in its front matter; it may have folders", "2026-01-31"),
    ("{meta.NAME.year}", "the year of a date there; likewise `month` and `day`, with two digits", "2026"),
)
COMMANDS: Final = {
    "source": "the document",
    "output": "the file to write, the first of several, or the folder to fill",
    "outputs": "all files to write, in order; alone as a word, one word each",
    "deps": "the files of its direct dependencies, in the order found; alone as a word, one word each. "
    "A plain document stands for itself, a rendered one for its output. Those only from `{depfile}` are left out",
    "dir": "the document's folder with the source folder's name; `.` at the top",
    "stem": "its name without the extension",
    "root": "the project's folder, absolute",
    "depfile": "a file in which the program lists what it read, in the format that compilers write for make",
    "cache": "a folder of the document's own, which stays between runs",
}


def of_outputs() -> str:
    """Returns the table of placeholders in `output`."""
    layout = Layout(("docs",), "site")
    rows = []
    for name in OUTPUT_PLACEHOLDERS:
        place = "5f4dcc3b5aa7" if name == "hash" else layout.output_by(Rule(0, "**", "copy", f"{{{name}}}"), DOCUMENT)
        rows.append((f"`{{{name}}}`", OUTPUTS[name], f"`{place.removeprefix('site/')}`"))
    rows += [(f"`{name}`", meaning, f"`{example}`") for name, meaning, example in OF_FRONT_MATTER]
    return table(("placeholder", "stands for", f"of `{DOCUMENT}`"), rows)


def of_commands() -> str:
    """Returns the table of placeholders in `command`."""
    return table(("placeholder", "stands for"), [(f"`{{{name}}}`", COMMANDS[name]) for name in COMMAND_PLACEHOLDERS])
