"""Every exception that kahnd raises on purpose.

KahndError                 carries Problems, and the exit code of the command line
├── UsageError             2   wrong arguments, or no project here
├── ConfigError            2   kahnd.toml
├── NoDaemonError          4   no answer on the control socket
│   └── NotListeningError      nobody listens there
├── AlreadyRunningError    4   another process holds the project's lock
├── DiskError              5   kahnd's own files can't be written, or the project's folder is gone
└── StoreError             5   the database
    ├── StoreLostError         it can't be reached any more
    ├── StoreRefusedError      it rejects the data
    └── StoreCorruptError      it can't be opened; it is moved aside and rebuilt
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from kahnd.core.problem import Problem


class KahndError(Exception):
    """An error caused from outside; `problems` is never empty."""

    exit_code: ClassVar[int] = 2

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class UsageError(KahndError):
    """The arguments are wrong, or there is no project here."""


class ConfigError(KahndError):
    """`kahnd.toml` can't be used."""


class NoDaemonError(KahndError):
    """No daemon runs for this project, or it does not answer."""

    exit_code = 4


class NotListeningError(NoDaemonError):
    """Nobody listens on the control socket, so the command can be done without a daemon."""


class AlreadyRunningError(KahndError):
    """Another process holds the project's lock."""

    exit_code = 4


class DiskError(KahndError):
    """The project's disk is full, read-only or unmounted. It may recover by itself."""

    exit_code = 5


class StoreError(KahndError):
    """The database refused or failed."""

    exit_code = 5


class StoreLostError(StoreError):
    """The database can't be reached any more; it may come back."""


class StoreRefusedError(StoreError):
    """The database rejects the data; nothing of that call was written."""


class StoreCorruptError(StoreError):
    """The database can't be opened; all its content can be derived again."""


@contextmanager
def unwrap_groups() -> Iterator[None]:
    """Raise the first KahndError of an exception group that holds nothing else; any other group stays as it is.

    Task groups raise groups of exceptions, and users are told of one error at a time.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        expected, others = group.split(KahndError)
        if expected is None or others is not None:
            raise
        raise _first(expected) from None


def _first(group: BaseExceptionGroup[KahndError]) -> KahndError:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
