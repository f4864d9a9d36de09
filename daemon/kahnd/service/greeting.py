"""A worker's composition root: from the daemon's greeting to the renderers of a project."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from kahnd.core.model import Job, Outcome
from kahnd.core.rules import Layout
from kahnd.heap import give_back
from kahnd.pool.worker import Render, limit_files, limit_memory
from kahnd.render import registry


@dataclass(frozen=True)
class Greeting:
    """What a worker makes its renderers from; `root` is absolute, and so much memory and files are all it may use."""

    root: Path
    layout: Layout
    memory_mb: int
    files: int


def prepare(greeting: object) -> Render:
    """How this project's jobs are rendered."""
    if not isinstance(greeting, Greeting):
        raise TypeError("a worker is greeted with a Greeting")
    limit_memory(greeting.memory_mb)
    limit_files(greeting.files)
    # The project's functions may import its modules; last, so that a `csv.py` there stands before no library's.
    sys.path.append(str(greeting.root))
    layout, renderers = greeting.layout, registry.create(greeting.root, greeting.layout)
    give_back()  # a worker is mostly idle, and imports leave a quarter of its memory free

    def render(job: Job) -> Outcome:
        rule = layout.rules[job.rule]
        return renderers[rule.renderer].render(job, rule.parameters)

    return render
