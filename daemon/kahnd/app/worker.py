"""A worker process, started by the pool: builds the renderers from the daemon's first message, and renders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kahnd.core.model import Job, Outcome
from kahnd.core.rules import Layout
from kahnd.platform.resources import trim_heap
from kahnd.pool.local.worker import MemoryBound, OutputBound, Render, limit_files, serve
from kahnd.render.programs.project_imports import allow_imports
from kahnd.render.renderers import registry


@dataclass(frozen=True)
class Allowance:
    """Limits of a worker, and of each program it starts; `output_mb` limits the size of a file that it writes."""

    memory_mb: int
    output_mb: int
    files: int


@dataclass(frozen=True)
class WorkerSetup:
    """The first message to a worker; `root` is absolute."""

    root: Path
    layout: Layout
    allowance: Allowance


def prepare(setup: object) -> Render:
    """Applies the limits, builds the renderers, and returns the function that renders a job."""
    if not isinstance(setup, WorkerSetup):
        raise TypeError("a worker's first message must be a WorkerSetup")
    allowance = setup.allowance
    own_memory = [rule.limits.memory_mb for rule in setup.layout.rules if rule.limits.memory_mb]
    memory_bound = MemoryBound(max([allowance.memory_mb, *own_memory]))
    memory_bound.allow(allowance.memory_mb)
    output_bound = OutputBound(setup.root, allowance.output_mb)
    limit_files(allowance.files)
    allow_imports(setup.root)
    layout, renderers = setup.layout, registry.create(setup.root, setup.layout)
    trim_heap()  # a worker is mostly idle, and a quarter of its memory is free after imports

    def render(job: Job) -> Outcome:
        rule = layout.rules[job.rule]
        memory_bound.allow(rule.limits.memory_mb or allowance.memory_mb)
        output_bound.allow(job)
        return renderers[rule.renderer].render(job, rule.parameters)

    return render


def main() -> None:
    """Serves jobs until the pool closes the pipe."""
    serve(prepare)
