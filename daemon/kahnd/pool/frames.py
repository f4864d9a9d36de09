"""How the daemon and its workers speak: frames on a pipe, a length and a pickle.

Both ends are the same code in processes of the same user, started by each other: pickle is safe there, and only there.
"""

from __future__ import annotations

import pickle
import struct
from typing import BinaryIO, Final

from anyio.streams.buffered import BufferedByteReceiveStream

HEADER: Final = struct.Struct("!I")


def pack(value: object) -> bytes:
    """One frame."""
    body = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def read(stream: BinaryIO) -> object | None:
    """The next frame's value, or None where the other end has closed. Blocking."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    value: object = pickle.loads(stream.read(*HEADER.unpack(header)))  # noqa: S301 - see above
    return value


async def receive(stream: BufferedByteReceiveStream) -> object:
    """The next frame's value; raises anyio.IncompleteRead or EndOfStream where the other end has closed."""
    header = await stream.receive_exactly(HEADER.size)
    value: object = pickle.loads(await stream.receive_exactly(*HEADER.unpack(header)))  # noqa: S301 - see above
    return value
