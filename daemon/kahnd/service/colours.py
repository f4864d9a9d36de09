"""Whether colours are welcome, by the habits of no-color.org, force-color.org and bixense.com/clicolors."""

from __future__ import annotations

import os
from collections.abc import Mapping


def wanted(*, terminal: bool, environ: Mapping[str, str] | None = None) -> bool:
    """Whether what goes to such a place is coloured: on a terminal, unless the environment says otherwise."""
    environ = os.environ if environ is None else environ
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return terminal and environ.get("TERM") != "dumb" and environ.get("CLICOLOR") != "0"
