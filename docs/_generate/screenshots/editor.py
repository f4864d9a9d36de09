"""Draws files as an editor shows them, beside the picture of a page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Final

STYLE: Final = """
* { box-sizing: border-box }
body { margin: 0; height: 100vh; display: flex; overflow: hidden; background: #fff; color: #24292f }
h2 { margin: 0; padding: 8px 14px; font: 600 13px system-ui, sans-serif; background: #eceff1; color: #3d4852 }
h2 span { font-weight: 400; color: #5c6870 }
.editor { flex: 1; min-width: 0; background: #fafbfc; border-right: 1px solid #c9d0d6 }
ol { margin: 0; padding: 6px 0 12px; list-style: none; font: 12px/20px monospace }
li { display: flex; padding-right: 14px; white-space: pre-wrap; overflow-wrap: anywhere }
li::before { content: attr(value); flex: none; width: 44px; padding-right: 14px; text-align: right; color: #6b7680 }
li.edited { background: #d9f2df; box-shadow: inset 4px 0 #2f6b4f }
img { display: block; width: 100% }
"""


@dataclass(frozen=True)
class Pane:
    """A file: its name, its text, and the number of the line that was edited, if any."""

    name: str
    text: str
    edited: int = 0

    def html(self) -> str:
        """Its lines, numbered."""
        lines = "".join(
            f'<li value="{number}"{" class=edited" if number == self.edited else ""}><span>{escape(line)}</span></li>'
            for number, line in enumerate(self.text.splitlines(), start=1)
        )
        return f"<h2>{escape(self.name)}{' <span>(saved)</span>' if self.edited else ''}</h2><ol>{lines}</ol>"


def beside(panes: Iterable[Pane], address: str, shot: bytes, width: int) -> str:
    """A page with the files on the left. On the right, `width` pixels wide, is the picture of the page."""
    files = "".join(pane.html() for pane in panes)
    picture = f'<img src="data:image/png;base64,{b64encode(shot).decode()}" alt="">'
    title = f"<h2>{escape(address)} <span>in the preview</span></h2>"
    served = f'<div style="width: {width}px">{title}{picture}</div>'
    return f'<!doctype html><style>{STYLE}</style><div class="editor">{files}</div>{served}'
