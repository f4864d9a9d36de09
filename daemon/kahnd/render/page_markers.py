"""The markers that a page's text carries for Jinja, and the filters that place included lines.

`markdown/page_source.py` writes them, the Jinja environment understands them.
"""

from __future__ import annotations

from typing import Final

COMMENT_START: Final = "{\ufdd0"
COMMENT_END: Final = "\ufdd0}"
"""Delimit comments for Jinja. The character is one that Unicode reserves for internal use."""
INDENTED: Final = "_indented"
CONTINUED: Final = "_continued"
"""The names of the filters `indented` and `continued` in templates."""


def indented(text: str, before: str, ended: bool = True) -> str:  # noqa: FBT001, FBT002 - as a template calls it
    """Put `before` in front of each line that is not empty; add a line end at the end if the tag's own line has one."""
    if not text:
        return text
    lines = text if not before else "\n".join(f"{before}{line}" if line.strip() else line for line in text.split("\n"))
    return f"{lines}\n" if ended and not lines.endswith("\n") else lines


def continued(text: str, before: str) -> str:
    """Put `before` in front of each line but the first, and leave out the last line's end."""
    first, *others = text.removesuffix("\n").split("\n")
    return "\n".join(
        (first, *(f"{before}{line}".rstrip() if not line.strip() else f"{before}{line}" for line in others))
    )
