"""The buffer of log events: every client can read them, and a slow one delays no other."""

from __future__ import annotations

import json
import threading

import anyio
import pytest

from kahnd.telemetry.event_buffer import BufferedEvent, EventBuffer

SOON_S = 60.0
ALL = 1_000


def publish(broadcast: EventBuffer, *names: str) -> None:
    for each in names:
        broadcast.publish({"level": "info", "event": each})


def names(told: list[BufferedEvent]) -> list[str]:
    return [each.name for each in told]


def test_what_was_told_since_is_there_with_the_log_s_line() -> None:
    broadcast = EventBuffer()
    event = {"timestamp": "now", "level": "info", "event": "b", "document": "a.md", "build": "7", "error": "ü\n"}
    publish(broadcast, "a")
    broadcast.publish(event)
    missed, told = broadcast.since(1, ALL)
    assert (missed, broadcast.last) == (0, 2)
    assert [(each.number, each.name, each.level, each.document, each.build) for each in told] == [
        (2, "b", "info", "a.md", "7")
    ]
    assert json.loads(told[0].line) == event
    assert broadcast.since(2, ALL) == (0, [])


def test_no_more_is_handed_out_at_once_than_is_asked_for() -> None:
    broadcast = EventBuffer()
    publish(broadcast, *"abcde")
    assert names(broadcast.since(1, 2)[1]) == ["b", "c"]


def test_of_more_than_are_kept_the_oldest_go_and_are_counted() -> None:
    broadcast = EventBuffer(kept=3)
    publish(broadcast, *"abcde")
    missed, told = broadcast.since(0, ALL)
    assert (missed, names(told), broadcast.first) == (2, ["c", "d", "e"], 3)
    assert broadcast.since(1, ALL)[0] == 1
    assert broadcast.since(2, ALL)[0] == 0


def test_long_lines_take_no_more_room_than_many_short_ones() -> None:
    broadcast = EventBuffer(kept=100, kept_bytes=1_000)
    for _ in range(10):
        broadcast.publish({"event": "x", "error": "x" * 400})
    assert broadcast.since(0, ALL)[0] == 8
    broadcast.publish({"event": "x", "error": "x" * 2_000})
    assert broadcast.since(0, ALL) == (11, [])
    publish(broadcast, "small")
    assert names(broadcast.since(11, ALL)[1]) == ["small"]


async def test_who_waits_is_woken_by_another_thread_too() -> None:
    broadcast = EventBuffer()
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(broadcast.after, 0)
            await anyio.wait_all_tasks_blocked()
            thread = threading.Thread(target=publish, args=(broadcast, "a"))
            thread.start()
    thread.join()
    assert broadcast.last == 1


async def test_what_is_there_already_is_not_waited_for() -> None:
    broadcast = EventBuffer()
    publish(broadcast, "a")
    with anyio.fail_after(SOON_S):
        await broadcast.after(0)


async def test_who_gave_up_waiting_is_forgotten() -> None:
    broadcast = EventBuffer()
    with anyio.move_on_after(0):
        await broadcast.after(0)
    assert not broadcast._waiting


def test_a_listener_whose_loop_is_over_does_no_harm() -> None:
    broadcast = EventBuffer()

    async def give_up() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broadcast.after, 0)
            await anyio.wait_all_tasks_blocked()
            kept.extend(broadcast._waiting)
            tasks.cancel_scope.cancel()

    kept: list[object] = []
    anyio.run(give_up)
    broadcast._waiting.update(kept)  # type: ignore[arg-type]
    publish(broadcast, "a")
    assert broadcast.last == 1


@pytest.mark.parametrize("event", [{}, {"event": None, "level": 3}, {"event": "x", "error": "\udcff"}])
def test_nothing_that_is_told_raises(event: dict[str, object]) -> None:
    broadcast = EventBuffer()
    broadcast.publish(event)
    assert len(broadcast.since(0, ALL)[1]) == 1
