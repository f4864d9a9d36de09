"""File names that all of kahnd shares: its configuration file, its state folder, its embedded database."""

from __future__ import annotations

import string
from typing import Final

CONFIG_FILE: Final = "kahnd.toml"
STATE_FOLDER: Final = ".kahnd"
LOCK_FILE: Final = f"{STATE_FOLDER}/lock"
CONTROL_SOCKET: Final = f"{STATE_FOLDER}/control.sock"
OUTPUT_JOURNAL: Final = f"{STATE_FOLDER}/outputs"
LOG_FOLDER: Final = f"{STATE_FOLDER}/log"
LOG_FILE: Final = f"{LOG_FOLDER}/kahnd.jsonl"
"""The default of `log.file`."""
DATABASE: Final = f"{STATE_FOLDER}/db"
"""The default folder of the embedded database."""
STAGES: Final = f"{STATE_FOLDER}/stage"
"""Each rendering writes to a folder of its own below this one."""
GENERATED: Final = f"{STATE_FOLDER}/generated"
"""Holds the documents that others declare, each under its own path."""
CACHES: Final = f"{STATE_FOLDER}/cache"
"""Holds the folders that programs keep between runs, one for each document whose rule asks for it (`{cache}`)."""
CACHE_STATE: Final = ".state"
"""Beside each of these folders is a file of the same name with this ending: how the last run in it ended."""
COOKIES: Final = f"{STATE_FOLDER}/cookies"
"""The watcher writes files here and waits for their events, which proves that all earlier events have been read."""
_DIGITS: Final = 32
EMBEDDED: Final = "surrealkv://"
"""The scheme of a `store.url` that names a folder, opened by the database engine in this process."""
REMOTE: Final = ("ws://", "wss://")
"""The schemes of a `store.url` that names a server."""


def is_cache_name(name: str) -> bool:
    """Tells whether kahnd gives this name to something in CACHES: 32 hex digits, perhaps with CACHE_STATE."""
    digits = name.removesuffix(CACHE_STATE)
    return len(digits) == _DIGITS and all(each in string.hexdigits for each in digits)


def is_embedded(url: str) -> bool:
    """Tells whether a `store.url` names a folder rather than a server."""
    return url.startswith(EMBEDDED)


def names_server(url: str) -> bool:
    """Tells whether a `store.url` names a server."""
    return url.startswith(REMOTE)
