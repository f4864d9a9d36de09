"""A worker's composition root: from the daemon's greeting to the renderers of a project."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from kahnd.core.model import Job, Outcome
from kahnd.core.rules import Layout
from kahnd.heap import give_back
from kahnd.pool.worker import OutputBound, Render, limit_files, limit_memory
from kahnd.render import registry


@dataclass(frozen=True)
class Allowance:
    """What a worker, and each program that it starts, may use; `output_mb` is the size of a file that it writes."""

    memory_mb: int
    output_mb: int
    files: int


@dataclass(frozen=True)
class Greeting:
    """What a worker makes its renderers from; `root` is absolute."""

    root: Path
    layout: Layout
    allowance: Allowance


def prepare(greeting: object) -> Render:
    """How this project's jobs are rendered."""
    if not isinstance(greeting, Greeting):
        raise TypeError("a worker is greeted with a Greeting")
    allowance = greeting.allowance
    limit_memory(allowance.memory_mb)
    limit_files(allowance.files)
    bound = OutputBound(greeting.root, allowance.output_mb)
    # The project's functions may import its modules; last, so that a `csv.py` there stands before no library's.
    sys.path.append(str(greeting.root))
    layout, renderers = greeting.layout, registry.create(greeting.root, greeting.layout)
    give_back()  # a worker is mostly idle, and imports leave a quarter of its memory free

    def render(job: Job) -> Outcome:
        bound.allow(job)
        rule = layout.rules[job.rule]
        return renderers[rule.renderer].render(job, rule.parameters)

    return render
