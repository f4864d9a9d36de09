"""Waits until an edit has had all the effects that it must have."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from e2e.harness import Project
from soak.soak_project import Edit
from suite.file_changes import Identity, identities, identity, until
from suite.tools.log import Log

LIMIT_S: Final = 60.0


class Follower:
    """Knows every output as it was after the previous edit, and how far the log has been read."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._log = Log(project.path(".kahnd/log/kahnd.jsonl"))
        self._read = 0
        self._seen: dict[Path, Identity] = identities(project.path("site").rglob("*"))

    def follow(self, edit: Edit) -> float | None:
        """Returns the milliseconds from the save, which has just ended, to its last output; None if there is none.

        Raises WrongError if the effects do not come in time.
        """
        began = time.perf_counter()
        if edit.kind == "reload":
            self._await_line(lambda entry: entry["event"] == "config.reloaded", "kahnd.toml is read again")
            self._project.wait(code=None)
            return None
        if edit.stuck:
            self._await_line(lambda entry: entry.get("document") == edit.stuck, f"{edit.stuck} is told to be blocked")
            return None
        self._await_outputs(edit)
        return (time.perf_counter() - began) * 1000

    def _await_line(self, wanted: Callable[[dict[str, Any]], bool], what: str) -> None:
        def told() -> bool:
            entries = self._log.read()
            fresh, self._read = entries[self._read :], len(entries)
            return any(wanted(entry) for entry in fresh)

        self._read = min(self._read, len(self._log.read()))
        until(told, what, limit_s=LIMIT_S)

    def _await_outputs(self, edit: Edit) -> None:
        renewed = [self._project.path(each) for each in edit.renewed]
        gone = [self._project.path(each) for each in edit.gone]

        def done() -> bool:
            new = all(identity(path) not in (None, self._seen.get(path)) for path in renewed)
            return new and not any(path.exists() for path in gone)

        until(done, f"{edit} has come to its outputs", limit_s=LIMIT_S)
        self._seen |= identities(renewed)
        for path in gone:
            self._seen.pop(path, None)
