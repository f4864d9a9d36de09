"""How the daemon and its workers speak: frames on a pipe, a length, what it is, its seconds, and that as MessagePack.

The greeting is a pickle, since it holds plug-ins' own types. Both ends are the same code in processes of the same user,
started by each other: pickle is safe there, and only there.
"""

from __future__ import annotations

import pickle
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

import msgspec

from kahnd.core.model import Failed, Job, Outcome, Rendered, Unmet

if TYPE_CHECKING:
    from anyio.streams.buffered import BufferedByteReceiveStream  # which no worker has a use for

_HEADER: Final = struct.Struct("!IBd")
_TYPES: Final = (Job, Rendered, Failed, Unmet)
_DECODERS: Final = tuple(msgspec.msgpack.Decoder[Job | Outcome](each) for each in _TYPES)
_PICKLED: Final = len(_TYPES)


def greeting(value: object) -> bytes:
    """The frame that a worker is told first."""
    return _frame(pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL), _PICKLED, 0)


def pack(value: Job | Outcome, seconds: float = 0) -> bytes:
    """One frame; `seconds` is what an outcome took. Raises UnicodeEncodeError for half a character."""
    return _frame(msgspec.msgpack.encode(value), _TYPES.index(type(value)), seconds)


def read(stream: BinaryIO) -> object | None:
    """The next frame's value, or None where the other end has closed. Blocking."""
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    length, kind, _ = _HEADER.unpack(header)
    return _value(stream.read(length), kind)


async def receive(stream: BufferedByteReceiveStream) -> tuple[object, float]:
    """The next frame's value and seconds; raises anyio.IncompleteRead or EndOfStream where the other end has closed."""
    length, kind, seconds = _HEADER.unpack(await stream.receive_exactly(_HEADER.size))
    return _value(await stream.receive_exactly(length), kind), seconds


def _frame(body: bytes, kind: int, seconds: float) -> bytes:
    return _HEADER.pack(len(body), kind, seconds) + body


def _value(body: bytes, kind: int) -> object:
    return pickle.loads(body) if kind == _PICKLED else _DECODERS[kind].decode(body)  # noqa: S301 - see above
