"""`kahnd run --problems`: for editors that run it in the background, and show what is wrong in the files themselves.

Between a line that says that something is rendered and one that says that all is quiet stands everything that is wrong
then, and not only what the last build came to: an editor forgets what it was told before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from kahnd.cli import problems, report
from kahnd.cli.bell import Bell
from kahnd.cli.terminal import tame
from kahnd.core.problem import Problem
from kahnd.service.events import Event
from kahnd.service.glance import Glance, Look
from kahnd.service.outlet import Outlet


class ProblemLines:
    """Fulfils glance.Onlooker."""

    def __init__(self, root: Path, stream: TextIO) -> None:
        self._root = root
        self._outlet = Outlet(stream, lambda lines: f"kahnd: {report.counted(lines, 'line')} left out here\n")
        self._bell = Bell()
        self._begun_by: str | None = "start"

    def told(self, event: str, fields: Mapping[str, Any]) -> None:
        """Builds and mistakes in `kahnd.toml` are worth lines."""
        if event in {Event.BUILD_STARTED, Event.CONFIG_INVALID, Event.CONFIG_RELOADED}:
            self._begun_by = self._begun_by or str(fields.get("cause") or "kahnd.toml changed")
        self._bell.ring()

    async def follow(self, look: Look, _say: Callable[..., None]) -> None:
        """Say when something begins, and what is wrong once all is quiet."""
        said = False
        while True:
            self._bell.listen()
            now = look()
            if self._begun_by and not said:
                said = True
                self._write([f"kahnd: rendering ({tame(self._begun_by)})"])
            if said and now.counts and not now.busy:
                said, self._begun_by = False, None
                self._write(_at_rest(self._root, now))
            await self._bell.heard()

    def close(self) -> None:
        """What is wrong is still told to a reader that reads."""
        self._outlet.close()

    def _write(self, lines: Sequence[str]) -> None:
        self._outlet.put("".join(f"{line}\n" for line in lines))


def _at_rest(root: Path, now: Glance) -> list[str]:
    failed = [_entry(each.document, each.problem) for each in now.wrong if each.because is None]
    blocked = [{**_entry(each.document, each.problem), "because": each.because} for each in now.wrong if each.because]
    lines = [
        *(problems.of_problem(root, each) for each in now.mistakes),
        *problems.of_answer(root, {"failed": failed, "blocked": blocked}),
    ]
    count = len(now.mistakes) + now.counts["failed"] + now.counts["blocked"]
    return [*lines, f"kahnd: at rest, {report.counted(count, 'problem')}"]


def _entry(document: str, problem: Problem) -> dict[str, Any]:
    places = {"file": problem.file, "line": problem.line, "message": problem.message, "remedy": problem.remedy}
    return {"document": document, **places, "output": problem.detail}
