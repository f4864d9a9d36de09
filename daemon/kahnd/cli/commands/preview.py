"""The command `open`: shows the project, or one document's page, in a browser."""

from __future__ import annotations

import http.client
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import click

from kahnd.api.client import ControlClient
from kahnd.cli.context import CommandContext, documents, examples, json_option
from kahnd.cli.terminal import print_json
from kahnd.core.problem import Problem
from kahnd.errors import NoDaemonError, UsageError

ANSWER_TIMEOUT_S: Final = 15.0
"""How long the preview may take to answer: it waits for a session for up to ten seconds."""
LAUNCH_S: Final = 0.5
"""A browser's launcher that fails does so within this time; one that works may stay for as long as the browser."""
_OPENERS: Final = {"darwin": ("open",)}
_USUAL_OPENERS: Final = ("xdg-open", "wslview", "gio open")


@click.command(
    "open",
    short_help="Show a page in a browser",
    epilog=examples(
        ("kahnd open", "the first page, or what kahnd is doing if there is none"),
        ("kahnd open docs/index.md", "the page that a document renders to"),
        ("kahnd open --print docs/index.md", "only print its address"),
    ),
)
@click.argument("document", required=False, metavar="[DOC]", shell_complete=documents)
@click.option("--print", "only_print", is_flag=True, help="Print the address, and open nothing.")
@json_option
@click.pass_obj
def open_page(context: CommandContext, document: str | None, *, only_print: bool, in_json: bool) -> None:
    """Show the project in a browser, or the page of a document. The daemon has to run.

    The browser is $BROWSER, or the desktop's own. The address is printed, too; it has a token in it if other machines
    can reach the preview.
    """
    target = context.target(document) if document else ""
    served = ControlClient(context.root).status()["serve"]
    if served is None:
        remedy = "see [serve] in kahnd.toml, `kahnd logs`, and whether it runs with --no-serve"
        raise UsageError(Problem("the daemon serves no preview", remedy=remedy))
    url = page_url(served["url"], target)
    opened = not only_print and any(_launched([*opener, url]) for opener in openers())
    if in_json:
        print_json({"url": url, "opened": opened})
        return
    click.echo(url)
    if not opened and not only_print:
        click.echo("kahnd: no browser could be started: set BROWSER, or open the address yourself", err=True)


def page_url(preview: str, document: str) -> str:
    """Asks the preview where a document's first output is, and returns its address. Raises UsageError, NoDaemonError.

    `preview`: the preview's own address. The token in it, if any, is in the returned one too.
    """
    parts = urlsplit(preview)
    token = parse_qs(parts.query).get("token", [""])[0]
    asked = f"/_kahnd/open?{urlencode({'document': document})}"
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", asked, headers={"X-Kahnd-Token": token} if token else {})
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        message = f"the preview at {parts.netloc} does not answer: {error}"
        raise NoDaemonError(Problem(message, remedy="see `kahnd status`")) from None
    finally:
        connection.close()
    place = response.getheader("Location")
    if place is None:
        raise UsageError(Problem(text))
    found = urljoin(f"{parts.scheme}://{parts.netloc}{asked}", place)
    return f"{found}?{urlencode({'token': token})}" if token else found


def openers() -> Iterator[Sequence[str]]:
    """Yields the programs that may open an address: those of $BROWSER, then the desktop's own, where they exist."""
    named = os.environ.get("BROWSER", "")
    usual = _OPENERS.get(sys.platform, _USUAL_OPENERS)
    for words in (*named.split(os.pathsep), *usual):
        command = _words(words)
        if command and shutil.which(command[0]):
            yield command


def _words(text: str) -> list[str]:
    """Splits a command; `%s`, the place of the address, is at its end in any case."""
    try:
        return [each for each in shlex.split(text) if each != "%s"]
    except ValueError:
        return []


def _launched(command: Sequence[str]) -> bool:
    """Starts a browser that outlives this command; tells whether it did not fail at once."""
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own browser
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return process.wait(LAUNCH_S) == 0
    except subprocess.TimeoutExpired:
        return True
    except OSError:
        return False
