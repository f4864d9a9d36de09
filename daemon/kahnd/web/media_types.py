"""The media type of an output, by its name and bytes. The same on every machine: the system's own table is not read."""

from __future__ import annotations

import mimetypes
from typing import Final

HTML: Final = "text/html"
_MORE: Final = {
    ".atom": "application/atom+xml",
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".rss": "application/rss+xml",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_TABLE: Final = mimetypes.MimeTypes()
_TEXTS: Final = frozenset(
    {"application/json", "application/manifest+json", "application/toml", "application/yaml", "image/svg+xml"}
)
_PACKED: Final = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}
_BINARY: Final = "application/octet-stream"
_TEXT: Final = "text/plain"


def media_type(path: str, content: bytes | None) -> str:
    """Returns the type, with the charset of texts in UTF-8. `content`: None if it is too much to look at.

    A text in another encoding has no charset, so that the browser finds it out. A file with no known ending is text if
    its bytes are.
    """
    name = _by_ending(path)
    is_utf_8 = content is not None and b"\0" not in content and _is_utf_8(content)
    if name is None:
        name = _TEXT if is_utf_8 else _BINARY
    is_text = name.startswith("text/") or name.endswith("+xml") or name in _TEXTS
    return f"{name}; charset=utf-8" if is_text and (is_utf_8 or content is None) else name


def is_html(path: str) -> bool:
    """Tells whether browsers show the output as a page into which the client's tag can go."""
    return _by_ending(path) == HTML


def _by_ending(path: str) -> str | None:
    name = path.rpartition("/")[2]
    _, dot, ending = name.rpartition(".")
    if known := _MORE.get(f"{dot}{ending}".lower()):
        return known
    guessed, packed = _TABLE.guess_type(name)
    return _PACKED.get(packed, _BINARY) if packed else guessed


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
