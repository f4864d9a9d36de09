"""Checks `[serve]`: a project's file alone must not open it to the network, nor have a link run a script."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

from kahnd.config.validation import KeyPath, ProblemCollector, nearest

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
_FIELDS: Final = ("path", "line", "column")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_NOT_EDITORS: Final = frozenset(
    {"about", "blob", "data", "file", "ftp", "http", "https", "javascript", "vbscript", "view-source", "ws", "wss"}
)
"""Schemes that browsers open themselves, or do not follow; editors have schemes of their own."""


def check_serve(serve: Mapping[str, Any], problems: ProblemCollector, *, named_host: bool) -> None:
    """Checks the host and the editor's address.

    `named_host`: who starts kahnd has named the host, by `--host` or in the environment.
    """
    host, editor = serve.get("host"), serve.get("editor")
    if isinstance(host, str) and not named_host and not is_loopback(host):
        message = (
            f'serve.host: "{host}" would show the project to other machines, which kahnd.toml alone may not decide'
        )
        problems.add(("serve", "host"), message, f"leave it out, and start with `kahnd run --host {host}`")
    if isinstance(editor, str):
        _check_editor(editor, ("serve", "editor"), problems)


def is_loopback(host: str) -> bool:
    """Tells whether only this machine can reach a host. Names are not looked up."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_editor(editor: str, path: KeyPath, problems: ProblemCollector) -> None:
    scheme = _SCHEME.match(editor)
    if editor and (scheme is None or scheme[1].lower() in _NOT_EDITORS):
        message = f'serve.editor: "{editor}" is no address that opens an editor'
        problems.add(path, message, "such as vscode://file/{path}:{line}:{column}, or empty for no links")
    for name in _FIELD.findall(editor):
        if name not in _FIELDS:
            message = f"serve.editor: unknown placeholder {{{name}}}"
            problems.add(path, message, nearest(f"{{{name}}}", [f"{{{each}}}" for each in _FIELDS]))
