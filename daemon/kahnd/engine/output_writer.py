"""Changes outputs in one thread of its own, so that the event loop never waits for a file system.

The thread performs one call after another: what is published, removed and discarded happens in the order of the
commands. A call that has begun is finished, whatever is cancelled meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

import anyio
from anyio.abc import TaskStatus

from kahnd.core.events import LogEvent, Publish, Published
from kahnd.core.graph import Graph
from kahnd.core.hashing import cache_folder
from kahnd.core.model import DocumentId, OutputPath, Problem, RunId
from kahnd.core.renderings import document_of
from kahnd.engine.inbox import Inbox
from kahnd.engine.maintenance import Liveness, Waits
from kahnd.engine.timings import BuildLog
from kahnd.ports import Outputs, Phase

T = TypeVar("T")


class OrderedThread:
    """Performs calls one after another in a thread. Their results reach the event loop in the same order."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failed, self._ended = anyio.Event(), anyio.Event()
        self._error: BaseException | None = None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run the thread until cancelled; all calls submitted by then are performed. Raises what a call raises."""
        self._loop = asyncio.get_running_loop()
        Thread(target=self._work, args=(self._loop,), name="kahnd-outputs", daemon=True).start()
        try:
            task_status.started()
            await self._failed.wait()
            if self._error:
                raise self._error
        finally:
            self._calls.put(None)
            with anyio.CancelScope(shield=True):
                await self._ended.wait()

    def submit(self, call: Callable[[], T], on_result: Callable[[T], None] | None = None) -> None:
        """Perform a call after all earlier ones, and hand its result to a callback in the event loop."""
        self._calls.put(partial(self._perform, call, on_result))

    async def call(self, call: Callable[[], T]) -> T:
        """Perform a call after all earlier ones, and return its result."""
        done, results = anyio.Event(), list[T]()

        def take(result: T) -> None:
            results.append(result)
            done.set()

        self.submit(call, take)
        await done.wait()
        return results[0]

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while call := self._calls.get():
            call()
        loop.call_soon_threadsafe(self._ended.set)

    def _perform(self, call: Callable[[], T], on_result: Callable[[T], None] | None) -> None:
        if self._loop is None:
            raise AssertionError("calls are performed while the thread runs")
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - it is raised again in the event loop, by `run`
            self._loop.call_soon_threadsafe(self._fail, error)
        else:
            if on_result:
                self._loop.call_soon_threadsafe(on_result, result)

    def _fail(self, error: BaseException) -> None:
        self._error = self._error or error
        self._failed.set()


class OutputWriter:
    """Publishes and removes outputs. The result of each publication goes to the inbox.

    An output that can't be removed for now is tried again until it is gone, or a document renders to it again.
    """

    def __init__(
        self,
        graph: Graph,
        outputs: Outputs,
        inbox: Inbox,
        builds: BuildLog,
        liveness: Liveness,
    ) -> None:
        self._graph = graph
        self._outputs = outputs
        self._inbox = inbox
        self._builds = builds
        self._liveness = liveness
        self._thread = OrderedThread()
        self._stuck: set[OutputPath] = set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Perform commands until cancelled; those given by then are finished."""
        await self._thread.run(task_status=task_status)

    def publish(self, command: Publish) -> None:
        """Move a run's outputs into place."""
        self._inbox.publications.begin(command.run, frozenset(each.output for each in command.staged))
        self._thread.submit(partial(self._publish, command), partial(self._published, command.run))

    def discard(self, stage: str) -> None:
        """Remove a staging folder and all in it."""
        self._thread.submit(partial(self._outputs.discard, stage))

    def discard_cache(self, document: DocumentId) -> None:
        """Remove the folder that a document's program kept."""
        self._thread.submit(partial(self._outputs.discard_cache, cache_folder(document)))

    async def remove(self, output: OutputPath, document: DocumentId | None) -> bool:
        """Remove an output, now or later, and return whether it is gone. One that is being published stays.

        `document`: the one it was rendered from, where that is known; it is named in the log.
        """
        if self._inbox.publications.among({output}):
            return False
        with self._liveness.waiting(Waits.PUBLISHING):
            was_made, is_made, problem = await self._thread.call(partial(self._remove, output))
        if problem is None:
            self._stuck.discard(output)
            return was_made
        if is_made:  # otherwise it is kept for good
            self._stuck.add(output)
        named = document and document_of(document)
        self._builds.log_in_build(LogEvent.OUTPUT_STUCK, document=named, output=output, error=str(problem))
        return False

    async def retry_removals(self) -> None:
        """Try again to remove what could not be removed: no event tells when a file system is writable again."""
        unwanted = self._stuck - self._graph.outputs()
        for output in sorted(unwanted - self._inbox.publications.among(unwanted)):
            if await self._thread.call(partial(self._outputs.remove, output)) is None:
                self._stuck.discard(output)

    def _publish(self, command: Publish) -> tuple[Problem | None, float]:
        began = time.perf_counter()
        problem = self._outputs.publish(command.staged)
        return problem, time.perf_counter() - began

    def _published(self, run: RunId, result: tuple[Problem | None, float]) -> None:
        problem, seconds = result
        self._builds.timings.spent(Phase.COMMIT, seconds)
        with suppress(anyio.ClosedResourceError):  # the session is over: the document is rendered again
            self._inbox.send(Published(run, problem))

    def _remove(self, output: OutputPath) -> tuple[bool, bool, Problem | None]:
        was_made, problem = self._outputs.is_made(output), self._outputs.remove(output)
        return was_made, self._outputs.is_made(output), problem
