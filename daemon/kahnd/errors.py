"""Every exception kahnd raises on purpose.

KahndError                 has a Problem, and the exit code the command line ends with
├── UsageError             2   the call's words, or a project that is not there
├── ConfigError            2   kahnd.toml
├── NoDaemonError          4   nobody answers on the control socket
│   └── NobodyThereError       nobody listens there, or no more
├── AlreadyRunningError    4   the project's lock is held
├── PlaceError             5   kahnd's own files can't be kept for now, or the project's folder is gone
└── StoreError             5   the database
    ├── StoreLostError         it was reachable and is not now
    ├── StoreRefusedError      it does not take what it was given
    └── StoreCorruptError      it can't be opened: to be moved aside and rebuilt
"""

from __future__ import annotations

from typing import ClassVar

from kahnd.core.problem import Problem


class KahndError(Exception):
    """A promise broken from outside; `problems` is never empty."""

    exit_code: ClassVar[int] = 2

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class UsageError(KahndError):
    """The call's words are wrong, or there is no project here."""


class ConfigError(KahndError):
    """`kahnd.toml` can't be used."""


class NoDaemonError(KahndError):
    """No daemon runs for this project, or it does not answer."""

    exit_code = 4


class NobodyThereError(NoDaemonError):
    """Nobody listens on the control socket, or no more: what was to be asked can be done without."""


class AlreadyRunningError(KahndError):
    """Another process holds the project."""

    exit_code = 4


class PlaceError(KahndError):
    """Where the project is, nothing can be kept for now: a disk is full, read-only or away. It may pass by itself."""

    exit_code = 5


class StoreError(KahndError):
    """The database refused or failed."""

    exit_code = 5


class StoreLostError(StoreError):
    """The database was reachable and is not now; it may come back."""


class StoreRefusedError(StoreError):
    """The database does not take what it was given; nothing of that call is in it."""


class StoreCorruptError(StoreError):
    """The database can't be opened; everything in it can be derived again."""
