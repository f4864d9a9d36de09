"""An engine that goes as far as the first rendering and changes nothing: what a build would begin with."""

from __future__ import annotations

from typing import Any

import anyio

from kahnd.core.machine import Machine
from kahnd.core.model import Failed, Job, OutputPath, Problem, RunId, Snapshot
from kahnd.core.rest import rest
from kahnd.engine import Engine, World
from kahnd.ports import OnEnd
from kahnd.render.outputs import FileOutputs
from kahnd.service.clock import SystemClock, build_ids
from kahnd.service.session import Project, outputs_of, tree_of
from kahnd.store.memory import MemoryStore


async def rehearsed(
    project: Project, snapshot: Snapshot, targets: tuple[str, ...] = (), *, retry: bool = False
) -> Engine:
    """An engine over a copy of what is known, brought to where it would begin to render.

    `retry`: as a build would, failed documents too. Raises UsageError for a target that is not there.
    """
    machine = Machine(project.layout, snapshot, slots=0, build_ids=build_ids())
    world = World(
        MemoryStore.of(snapshot),
        tree_of(project),
        outputs_of(project.config, _Untouched, kept=False),
        _NoPool(),
        SystemClock(),
        _silent,
    )
    engine = Engine(machine, world, last_build=snapshot.last_build)
    asked = engine.open("plan", targets, retry=retry)
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            await engine.run(cause="plan", asked=asked)

        tasks.start_soon(run)
        await engine.started.wait()
        tasks.cancel_scope.cancel()
    engine.last_build = snapshot.last_build  # a rehearsal is none
    if not retry:
        rest(machine.graph, snapshot)
    return engine


class _Untouched(FileOutputs):
    """The output folder, to be looked at only."""

    def remove(self, output: OutputPath) -> Problem | None:
        """Leave it."""

    def discard(self, stage: str) -> None:
        """Leave it."""


class _NoPool:
    """Where nothing is rendered."""

    def begin(self, job: Job, on_end: OnEnd) -> None:
        """Nothing asks for this of a machine without slots."""
        on_end(job, Failed(Problem("there are no workers", job.document)), 0.0)

    def cancel(self, run: RunId) -> None:
        """Nothing runs."""

    def rest(self) -> None:
        """Nothing is begun."""


def _silent(_event: str, **_fields: Any) -> None:
    """A rehearsal is not logged."""
