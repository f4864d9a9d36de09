"""Questions outlive the session they are put to; counts go on over all sessions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import anyio
import pytest

from engine.fakes import Place
from kahnd.app.current_session import CurrentSession
from kahnd.app.session import Session
from kahnd.core.model import Problem
from kahnd.engine import Engine
from kahnd.errors import UsageError


def _session(engine: Engine, overflows: int = 0) -> Session:
    return cast("Session", SimpleNamespace(engine=engine, watcher=SimpleNamespace(overflows=overflows, events=0)))


async def test_a_question_is_put_to_the_next_session_if_the_first_one_ends() -> None:
    sessions, asked = CurrentSession(), anyio.Event()
    engines: list[Engine] = []

    async def question(engine: Engine) -> str:
        engines.append(engine)
        asked.set()
        if len(engines) == 1:
            await anyio.sleep_forever()
        return "answer"

    answers: list[str] = []

    async def ask() -> None:
        answers.append(await sessions.ask(question))

    async with anyio.create_task_group() as tasks, Place({}).at_work() as first, Place({}).at_work() as second:
        tasks.start_soon(ask)
        with sessions.holding(_session(first)):
            await asked.wait()
        with sessions.holding(_session(second)), anyio.fail_after(60):
            while not answers:
                await anyio.lowlevel.checkpoint()
    assert answers == ["answer"]
    assert engines == [first, second]


async def test_an_error_of_the_question_is_raised() -> None:
    sessions = CurrentSession()

    async def question(_engine: Engine) -> None:
        raise UsageError(Problem("no such document"))

    async with Place({}).at_work() as engine:
        with sessions.holding(_session(engine)), pytest.raises(UsageError, match="no such document"):
            await sessions.ask(question)


async def test_overflows_are_counted_over_all_sessions() -> None:
    sessions = CurrentSession()
    async with Place({}).at_work() as engine:
        assert not sessions.has_begun
        for _ in range(2):
            with sessions.holding(_session(engine, overflows=2)):
                pass
        with sessions.holding(_session(engine, overflows=1)):
            assert sessions.overflows == 5
        assert (sessions.overflows, sessions.has_begun, sessions.session) == (5, True, None)


async def test_what_is_looked_at_goes_first_in_the_next_session_too() -> None:
    sessions = CurrentSession()
    documents = {f"docs/{number:03}.md": "text" for number in range(50)}
    async with Place({}).at_work() as first:
        with sessions.holding(_session(first)):
            sessions.prefer(["docs/040.md"])
    place = Place(documents)
    place.pool.gate = anyio.Event()
    with sessions.holding(_session(place.engine)):
        async with place.at_work():
            with anyio.fail_after(60):
                while not place.pool.begun:
                    await anyio.lowlevel.checkpoint()
            place.pool.gate.set()
    assert place.pool.begun[0] == "docs/040.md"
