"""How many files this process may have open: the embedded database alone keeps some hundred, and aborts without."""

from __future__ import annotations

import resource
from typing import Final

from kahnd.core.model import Problem
from kahnd.errors import UsageError

FEWEST: Final = 256
"""With fewer a busy daemon would soon be without; an idle one has some hundred open."""
MOST: Final = 65_536
"""More is of no use."""


def allow_files() -> int:
    """Allow this process as many open files as it may have; how many it was allowed before.

    Raises UsageError where that is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if most < FEWEST:
        message = f"only {most} files may be open at once, and kahnd needs {FEWEST}"
        raise UsageError(Problem(message, remedy=f"raise the hard limit (ulimit -Hn {FEWEST * 4}, or LimitNOFILE=)"))
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return soft
