"""The messages of the WebSocket, both ways; daemon/browser/src/live/messages.ts has the same.

Every message states what is so now, so a later one about the same path replaces an earlier one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

import msgspec

MAX_NAME: Final = 4_096
"""The longest path in a message, in characters: no longer one can be opened."""
MAX_ASSETS: Final = 1_000
"""The most that a page may use, in one message."""
MAX_MESSAGE: Final = 1 << 20
"""The largest message of a browser, in bytes."""

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Token = Annotated[str, msgspec.Meta(max_length=64)]
Kind = Literal["page", "style", "image", "script", "other"]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """From a browser: the daemon that it knew before, if any."""

    daemon: Token


class Show(msgspec.Struct, frozen=True, tag="show"):
    """From a browser: what a tab shows, and which assets the page uses; hashes where it knows them.

    `age_ms`: for how long assets of unknown hash are in use.
    """

    tab: Token
    path: Name
    hash: Token | None = None
    assets: Annotated[dict[Name, Token | None], msgspec.Meta(max_length=MAX_ASSETS)] = msgspec.field(
        default_factory=dict
    )
    visible: bool = True
    age_ms: float = 0.0


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """From a browser: a tab has left its page."""

    tab: Token


FromBrowser = Hello | Show | Gone


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The daemon that answers."""

    daemon: str


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """An output that a tab shows or uses has this hash now; None: it is no longer there."""

    path: str
    hash: str | None
    kind: Kind


class Known(msgspec.Struct, frozen=True, tag="known"):
    """The hashes of what a tab uses, where it did not know them."""

    hashes: dict[str, str]


class SourceLine(msgspec.Struct, frozen=True):
    """A line of an excerpt, by its number."""

    line: int
    text: str


class PageProblem(msgspec.Struct, frozen=True):
    """Why a page could not be rendered: the failure, where it is, and the documents that lead there from the page."""

    document: str
    status: Literal["FAILED", "BLOCKED"]
    culprit: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    remedy: str = ""
    detail: str = ""
    excerpt: tuple[SourceLine, ...] = ()
    chain: tuple[str, ...] = ()
    editor: str = ""


class Problems(msgspec.Struct, frozen=True, tag="problems"):
    """How many documents are broken, and what is wrong with pages that are shown; None: nothing."""

    count: int
    pages: dict[str, PageProblem | None]


ToBrowser = Welcome | Changed | Known | Problems

_DECODER: Final[msgspec.json.Decoder[FromBrowser]] = msgspec.json.Decoder(FromBrowser)
_ENCODER: Final = msgspec.json.Encoder()
_SUFFIXES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "style": ("css",),
    "page": ("html", "htm", "xhtml"),
    "script": ("js", "mjs"),
    "image": ("apng", "avif", "bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "webp"),
}
_KINDS: Final = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes}


def decode(message: str) -> FromBrowser:
    """Reads a message. Raises msgspec.DecodeError for anything else."""
    return _DECODER.decode(message)


def encode(message: ToBrowser) -> str:
    """Writes a message."""
    return _ENCODER.encode(message).decode()


def kind_of(path: str) -> Kind:
    """Returns how pages use an output, as far as its name tells."""
    return _KINDS.get(path.rpartition(".")[2].lower(), "other")
