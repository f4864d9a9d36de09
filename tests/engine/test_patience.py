from __future__ import annotations

import anyio

from engine.fakes import Log
from kahnd.core.model import Problem
from kahnd.engine.patience import RETRY_S, Patience
from kahnd.errors import StoreLostError

GONE = StoreLostError(Problem("gone"))


async def test_what_goes_away_soon_after_it_came_back_is_not_tried_as_often_again() -> None:
    patience = Patience(Log().say)
    await patience.rest(GONE)
    await patience.rest(GONE)
    patience.reward()
    assert not patience.tried
    began = anyio.current_time()
    await patience.rest(GONE)
    assert anyio.current_time() - began >= RETRY_S[2]
