"""The notifications to the service manager, over a real socket."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from e2e.manager import Manager
from kahnd.app.systemd_service import CLOSING_S, SystemdReporter
from kahnd.platform.systemd import Notifier

SOON_S = 60.0
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

    def status_line(self) -> str:
        self.looked += 1
        return self.status

    def beat(self) -> str:
        self.asked += 1
        return self.hung

    def say(self, event: str, **fields: object) -> None:
        self.log.append(f"{event} {fields['error']}")


@asynccontextmanager
async def reporting(notifier: Notifier, engine: Engine) -> AsyncIterator[SystemdReporter]:
    reporter = SystemdReporter(notifier, engine.say, engine.beat, engine.status_line)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(reporter.run)
        yield reporter
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(SOON_S):
        while not condition():  # noqa: ASYNC110 - a socket that is read by hand
            await anyio.sleep(0.005)


async def test_no_heartbeat_is_sent_while_the_engine_hangs(
    manager: Manager,
) -> None:
    engine = Engine()
    notifier = Notifier(manager.environment()["NOTIFY_SOCKET"], WATCHDOG_S)
    async with reporting(notifier, engine):
        await until(lambda: manager.heard("WATCHDOG"))
        engine.hung = "its loop"
        await until(lambda: engine.log)
        notifier.send("STATUS=hung")  # heard after all that was sent before
        await until(lambda: "hung" in manager.heard("STATUS"))
        given, asked = len(manager.heard("WATCHDOG")), engine.asked
        await until(lambda: engine.asked > asked + 5)
        notifier.send("STATUS=still hung")
        await until(lambda: "still hung" in manager.heard("STATUS"))
        assert len(manager.heard("WATCHDOG")) == given
        engine.hung = ""
        await until(lambda: len(manager.heard("WATCHDOG")) > given)
        assert engine.log == ["daemon.hung its loop does not go on"]


async def test_more_time_is_asked_for_until_the_daemon_is_ready(manager: Manager) -> None:
    notifier = Notifier(manager.environment()["NOTIFY_SOCKET"], WATCHDOG_S)
    async with reporting(notifier, Engine()) as reporter:
        await until(lambda: len(manager.heard("EXTEND_TIMEOUT_USEC")) > 2)
        reporter.ready()
        await until(lambda: manager.heard("READY"))
        since = next(number for number, each in enumerate(manager.messages()) if "READY" in each)
        await until(lambda: len(manager.heard("WATCHDOG", since)) > 2)
        assert not manager.heard("EXTEND_TIMEOUT_USEC", since)


async def test_important_notifications_are_queued_until_systemd_takes_them(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="run") as folder:
        manager = Manager(Path(folder))
        async with reporting(Notifier(manager.environment()["NOTIFY_SOCKET"]), Engine()) as reporter:
            reporter.ready()
            reporter.reloading()
            reporter.ready()
            with manager:
                await until(lambda: manager.heard("STATUS"))
                told = [next(iter(each)) for each in manager.messages()]
                assert [key for key in told if key != "EXTEND_TIMEOUT_USEC"] == [
                    "READY",
                    "RELOADING",
                    "READY",
                    "STATUS",
                ]


async def test_readiness_is_reported_once_and_nothing_after_stopping(manager: Manager) -> None:
    async with reporting(Notifier(manager.environment()["NOTIFY_SOCKET"]), Engine()) as reporter:
        reporter.reloading()
        for _ in range(2):
            reporter.ready()
        reporter.stopping(5)
        reporter.ready()
        reporter.reloading()
        await until(lambda: manager.heard("STOPPING"))
    told = [each for each in manager.messages() if "STATUS" not in each]
    assert told[-2:] == [
        {"READY": "1"},
        {"STOPPING": "1", "EXTEND_TIMEOUT_USEC": f"{round((5 + CLOSING_S) * 1e6)}"},
    ]
    assert not manager.heard("RELOADING")


async def test_a_status_line_is_sent_only_if_it_has_changed(manager: Manager) -> None:
    engine = Engine()
    notifier = Notifier(manager.environment()["NOTIFY_SOCKET"], WATCHDOG_S)
    async with reporting(notifier, engine):
        await until(lambda: manager.heard("STATUS"))
        engine.status = "better"
        looked = engine.looked
        await until(lambda: engine.looked > looked + 2)
        await until(lambda: "better" in manager.heard("STATUS"))
        assert manager.heard("STATUS") == ["well", "better"]


async def test_without_systemd_the_reporter_returns_at_once() -> None:
    reporter = SystemdReporter(Notifier(), Engine().say, lambda: "its loop", lambda: "well")
    with anyio.fail_after(SOON_S):
        await reporter.run()
