"""What one client may take of the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of connections, bytes and seconds: more is refused, or hung up on.

    `line_bytes`: of the request's first line, which has the targets. `head_s`, `body_s`: until a request is there.
    `idle_s`: between two requests. `heartbeat_s`: between two comments in an event stream. `stuck_s`: without reading.
    """

    connections: int = 64
    line_bytes: int = 1 << 20
    body_bytes: int = 1 << 20
    head_s: float = 10
    body_s: float = 10
    idle_s: float = 15
    heartbeat_s: float = 15
    stuck_s: float = 30


USUAL: Final = Bounds()
