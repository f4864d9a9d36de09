"""The machine and the versions that were measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from suite.tools.entr import Entr
from suite.tools.hugo import Hugo
from suite.tools.kahnd import Kahnd
from suite.tools.make import Make
from suite.tools.ninja import Ninja
from suite.tools.tool import Tool
from suite.tools.tup import Tup


def machine() -> str:
    """Describes the machine in part of a sentence."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {platform.system()} {platform.release()}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def versions() -> Iterator[str]:
    """Yields the versions of kahnd, its engine and its peers, or why a peer is absent."""
    python = f"Python {platform.python_version()}"
    yield f"{Kahnd().version()} ({python}, surrealdb {version('surrealdb')})"
    ninja = Ninja()
    peers: tuple[Tool, ...] = (ninja, Make(), Entr(ninja), Tup(), Hugo())
    for peer in peers:
        reason = peer.absent()
        yield f"{peer.name} absent: {reason}" if reason else peer.version()
