"""Questions about what was rendered: past renders, and why."""

from __future__ import annotations

from typing import Final

from kahnd.core.explanation import Explanation, explain
from kahnd.core.model import HistoryEntry
from kahnd.engine.engine import Engine
from kahnd.engine.targets import PastRenders, past_renders, resolve

RECENT: Final = 20
"""How many past renders are looked at for the last good one."""


async def history(engine: Engine, target: str | None, limit: int) -> tuple[HistoryEntry, ...]:
    """Past renders: see `past_renders`."""
    return await past_renders(engine.machine.graph, engine.past_renders, target, limit)


async def why(engine: Engine, target: str, past: PastRenders | None = None) -> Explanation:
    """Why a document (or an output's) was rendered, or would be. Raises UsageError for one that is not there.

    `past`: where past renders are told, if not by this engine's own store.
    """
    document = min(resolve(engine.machine.graph, (target,)))
    return explain(engine.machine, document, await (past or engine.past_renders)(document, RECENT))
