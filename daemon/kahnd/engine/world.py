"""What an engine works with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio.lowlevel

from kahnd.engine.pulse import Pulse
from kahnd.engine.stages import Stages
from kahnd.ports import Clock, Outputs, Pool, Store, Tree

Say = Callable[..., None]


@dataclass(frozen=True, slots=True)
class World:
    """`say` writes a log line: event, then fields; `on_config`: see Eyes.

    `config_settled` returns when no such change is waiting to be dealt with: the session goes on as it is.
    """

    store: Store
    tree: Tree
    outputs: Outputs
    pool: Pool
    clock: Clock
    say: Say
    stages: Stages = field(default_factory=Stages)
    on_config: Callable[[bool], None] = lambda _: None
    config_settled: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint
    pulse: Pulse = field(default_factory=Pulse)
