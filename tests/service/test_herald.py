"""What the manager is told when, and what not: over a real socket."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from e2e.manager import Manager
from kahnd.service.herald import CLOSING_S, Herald
from kahnd.service.notify import Notifier

SOON_S = 20.0
WATCHDOG_S = 0.03


@pytest.fixture
def manager() -> Iterator[Manager]:
    with tempfile.TemporaryDirectory(prefix="run") as folder, Manager(Path(folder)) as manager:
        yield manager


@dataclass
class Engine:
    """Has hung at what it is told, and says how it is."""

    hung: str = ""
    status: str = "well"
    log: list[str] = field(default_factory=list)
    asked: int = 0
    looked: int = 0

    def standing(self) -> str:
        self.looked += 1
        return self.status

    def beat(self) -> str:
        self.asked += 1
        return self.hung

    def say(self, event: str, **fields: object) -> None:
        self.log.append(f"{event} {fields['error']}")


@asynccontextmanager
async def telling(notifier: Notifier, engine: Engine) -> AsyncIterator[Herald]:
    herald = Herald(notifier, engine.say, engine.beat, engine.standing)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(herald.run)
        yield herald
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(SOON_S):
        while not condition():  # noqa: ASYNC110 - a socket that is read by hand
            await anyio.sleep(0.005)


async def test_while_something_hangs_no_sign_of_life_is_given_and_once_it_goes_on_again_they_are(
    manager: Manager,
) -> None:
    engine = Engine()
    notifier = Notifier(manager.environment()["NOTIFY_SOCKET"], WATCHDOG_S)
    async with telling(notifier, engine):
        await until(lambda: manager.heard("WATCHDOG"))
        engine.hung = "its loop"
        await until(lambda: engine.log)
        given, asked = len(manager.heard("WATCHDOG")), engine.asked
        await until(lambda: engine.asked > asked + 5)
        assert len(manager.heard("WATCHDOG")) == given
        engine.hung = ""
        await until(lambda: len(manager.heard("WATCHDOG")) > given)
        assert engine.log == ["daemon.hung its loop does not go on"]


async def test_until_it_is_ready_it_asks_for_more_time_and_afterwards_not(manager: Manager) -> None:
    notifier = Notifier(manager.environment()["NOTIFY_SOCKET"], WATCHDOG_S)
    async with telling(notifier, Engine()) as herald:
        await until(lambda: len(manager.heard("EXTEND_TIMEOUT_USEC")) > 2)
        herald.ready()
        since = len(manager.messages())
        await until(lambda: len(manager.heard("WATCHDOG", since)) > 2)
        assert not manager.heard("EXTEND_TIMEOUT_USEC", since)


async def test_what_must_not_get_lost_is_told_once_somebody_listens(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="run") as folder:
        manager = Manager(Path(folder))
        async with telling(Notifier(manager.environment()["NOTIFY_SOCKET"]), Engine()) as herald:
            herald.ready()
            herald.reloading()
            herald.ready()
            with manager:
                await until(lambda: manager.heard("STATUS"))
                told = [next(iter(each)) for each in manager.messages()]
                assert [key for key in told if key != "EXTEND_TIMEOUT_USEC"] == [
                    "READY",
                    "RELOADING",
                    "READY",
                    "STATUS",
                ]


async def test_each_is_told_when_it_comes_to_be_so(manager: Manager) -> None:
    async with telling(Notifier(manager.environment()["NOTIFY_SOCKET"]), Engine()) as herald:
        herald.reloading()
        for _ in range(2):
            herald.ready()
        herald.stopping(5)
        herald.ready()
        herald.reloading()
        await until(lambda: manager.heard("STOPPING"))
    told = [each for each in manager.messages() if "STATUS" not in each]
    assert told[-2:] == [
        {"READY": "1"},
        {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": f"{round((5 + CLOSING_S) * 1e6)}"},
    ]
    assert not manager.heard("RELOADING")


async def test_a_status_is_told_again_only_when_it_is_another(manager: Manager) -> None:
    engine = Engine()
    notifier = Notifier(manager.environment()["NOTIFY_SOCKET"], WATCHDOG_S)
    async with telling(notifier, engine):
        await until(lambda: manager.heard("STATUS"))
        engine.status = "better"
        looked = engine.looked
        await until(lambda: engine.looked > looked + 2)
        assert manager.heard("STATUS") == ["well", "better"]


async def test_where_nobody_listens_there_is_nothing_to_do() -> None:
    herald = Herald(Notifier(), Engine().say, lambda: "its loop", lambda: "well")
    with anyio.fail_after(SOON_S):
        await herald.run()
