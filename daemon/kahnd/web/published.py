"""Opens published outputs. The hash that is told of bytes is always that of these bytes.

An output is renamed into place a moment before the graph knows its new hash, and several outputs of a document one
after another. Until file and graph agree, the file is looked at again, so no page is shown before what was published
with it. If they never agree, somebody has changed the file; then it is shown as it is, with its own hash.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import BinaryIO, Final, TypeVar

import anyio
import anyio.to_thread

from kahnd.app.output_index import FoundOutput, OutputIndex
from kahnd.core.hashing import hash_bytes
from kahnd.core.model import Digest
from kahnd.platform.files import hash_open_file
from kahnd.platform.owned_files import open_below
from kahnd.web.media_types import is_html, media_type

K = TypeVar("K")
V = TypeVar("V")
WHOLE_BYTES: Final = 8 << 20
"""Outputs up to this size are read whole; of a larger one, the hash is computed once, and it is sent piece by piece."""
MAX_PAGE_BYTES: Final = 64 << 20
"""The same for pages, since the client's tag goes into them."""
SETTLE_S: Final = 1.0
"""How long file and graph may disagree before the file counts as changed by somebody else."""
_FIRST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.05
_THREADS: Final = 8
"""The number of outputs that are read at once, so that the engine never waits for a thread."""
_REMEMBERED: Final = 1_000

FileState = tuple[int, int, int, int, int]
"""Device, inode, size, and the times of change of a file: the same for the same bytes."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """An output: its hash and size, and its bytes, or else the open file to read them from."""

    found: FoundOutput
    digest: Digest
    size: int
    state: FileState
    media_type: str
    content: bytes | None
    stream: BinaryIO

    def piece(self, start: int, size: int) -> bytes:
        """Reads some bytes of a file that is not read whole."""
        return os.pread(self.stream.fileno(), size, start)


class PublishedFiles:
    """Opens outputs by their paths; remembers the hashes of large ones, and which of them somebody has changed."""

    def __init__(self, index: OutputIndex) -> None:
        self._index = index
        self._limiter = anyio.CapacityLimiter(_THREADS)
        self._digests: OrderedDict[FileState, Digest] = OrderedDict()
        self._strange: OrderedDict[str, tuple[FileState | None, Digest | None]] = OrderedDict()

    async def open(self, path: str) -> PublishedFile | None:
        """Opens the output at a path; None if kahnd has published none there, or it is gone."""
        until, pause_s = monotonic() + SETTLE_S, _FIRST_PAUSE_S
        while (found := self._index.find(path)) and found.digest and (folder := self._index.folder):
            file = await anyio.to_thread.run_sync(self._opened, folder, found, limiter=self._limiter)
            known = self._index.find(path)
            if file and file.content is None:
                _remember(self._digests, file.state, file.digest)
            if file and known and known.digest == file.digest:
                return file
            if self._is_strange(found, file) or monotonic() >= until:
                _remember(self._strange, path, (file.state if file else None, found.digest))
                return file
            if file:
                file.stream.close()
            await anyio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        return None

    def _is_strange(self, found: FoundOutput, file: PublishedFile | None) -> bool:
        """Tells whether the same file was there, or missing, when file and graph were last waited for in vain."""
        return self._strange.get(found.path) == (file.state if file else None, found.digest)

    def _opened(self, folder: Path, found: FoundOutput) -> PublishedFile | None:
        try:
            stream = os.fdopen(open_below(folder, found.path), "rb", buffering=0)
        except OSError:  # it is gone, or a link or a folder is in its place: nothing that kahnd has published
            return None
        status = os.fstat(stream.fileno())
        state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if status.st_size > (MAX_PAGE_BYTES if is_html(found.path) else WHOLE_BYTES):
            digest = self._digests.get(state) or hash_open_file(stream.fileno())
            return PublishedFile(found, digest, status.st_size, state, media_type(found.path, None), None, stream)
        with stream:
            content = stream.read()
        media = media_type(found.path, content)
        return PublishedFile(found, hash_bytes(content), len(content), state, media, content, stream)


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)
