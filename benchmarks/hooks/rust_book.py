"""The preprocessors of the Rust book as a hook: listings with a number and a caption, and notes."""

import re

from tools.mdbook import expand as included

LISTING = re.compile(r'<Listing((?:\s+[\w-]+="[^"]*")*)\s*>(.*?)</Listing>', re.DOTALL)
ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
QUOTED = re.compile(r"(?:^>.*\n?)+", re.MULTILINE)


def expand(text, document):
    """The text with files included, listings as figures, and notes as sections."""
    return QUOTED.sub(note, LISTING.sub(listing, included(text, document)))


def listing(found):
    given = dict(ATTRIBUTE.findall(found[1]))
    name = f'<span class="file-name">Filename: {given["file-name"]}</span>\n' if "file-name" in given else ""
    number = f"Listing {given['number']}" if "number" in given else ""
    caption = ": ".join(filter(None, (number, given.get("caption", ""))))
    return f'<figure class="listing">\n{name}\n{found[2]}\n<figcaption>\n\n{caption}\n\n</figcaption>\n</figure>'


def note(found):
    body = re.sub(r"^> ?", "", found[0], flags=re.MULTILINE)
    is_note = body.lstrip("# ").startswith("Note: ")
    return f'<section class="note">\n\n{body}\n\n</section>\n' if is_note else found[0]
