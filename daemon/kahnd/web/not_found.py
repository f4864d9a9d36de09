"""The page where there is no output: says why, names near ones, and becomes the output once that is there."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from http import HTTPStatus
from typing import Final

from aiohttp import web

from kahnd.app.output_index import FoundOutput
from kahnd.core.model import Problem, Status
from kahnd.web.addresses import OutputAddress, shown_path
from kahnd.web.context import OWN_PAGES, POLICY, WebContext, plain
from kahnd.web.injection import PageTag, with_tag
from kahnd.web.published import PublishedFiles

MAX_NEAR: Final = 5
_PROJECT_PAGE: Final = "404.html"
_SHOWN_AS_PAGES: Final = frozenset({"document", "iframe", "frame"})
"""Values of Sec-Fetch-Dest for which a browser shows the answer to its user."""
_STYLE: Final = """
:root { color-scheme: light dark; --quiet: #59636e; --line: #d1d9e0; --bad: #b3261e; --link: #0a58ca }
@media (prefers-color-scheme: dark) { :root { --quiet: #9ba5b0; --line: #3d444d; --bad: #ff8a80; --link: #7cb7ff } }
body { font: 1rem/1.55 system-ui, sans-serif; max-width: 44rem; margin: 12vh auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 1rem; overflow-wrap: anywhere }
pre { font: .875rem/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
  border-left: 3px solid var(--bad); padding: .1rem 0 .1rem .9rem; margin: 1rem 0 }
a { color: var(--link) }
li { overflow-wrap: anywhere }
footer { border-top: 1px solid var(--line); color: var(--quiet); margin-top: 2.5rem; padding-top: .75rem;
  font-size: .875rem }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_OWN_POLICY: Final = OWN_PAGES.replace("style-src 'self'", f"style-src 'self' 'sha256-{_STYLE_HASH}'")


class NotFound:
    """Answers requests for outputs that are not there."""

    def __init__(self, context: WebContext, files: PublishedFiles) -> None:
        self._context = context
        self._files = files

    async def answer(self, request: web.Request, address: OutputAddress) -> web.StreamResponse:
        """Answers with a page if a user will see it: the project's own `404.html` if nothing is known of the path."""
        if not _is_shown(request):
            return plain(HTTPStatus.NOT_FOUND, f"there is no {address.file}")
        found = self._context.view.outputs.find(address.file)
        path = found.path if found else _hoped_for(address)
        tag = PageTag(found.document if found else "", path, "", self._context.daemon, self._context.token)
        own = None if found else await self._files.open(_PROJECT_PAGE)
        if own and own.content is not None:
            page, headers = with_tag(own.content, tag.html(address.base)), {}
        else:
            page, headers = self._page(address, found, tag), {POLICY: _OWN_POLICY}
        headers["Content-Type"] = "text/html; charset=utf-8"
        return web.Response(status=HTTPStatus.NOT_FOUND, body=page, headers=headers)

    def _page(self, address: OutputAddress, found: FoundOutput | None, tag: PageTag) -> bytes:
        title, body = _known(found) if found else ("There is no such page", self._unknown(address))
        parts = [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n{tag.html(address.base).decode()}</head>",
            f"<body>\n<main>\n<h1>{escape(title)}</h1>",
            *body,
            f"</main>\n<footer>{escape(tag.path)}: this page shows it as soon as it is there.",
            f'<a href="{escape(address.base)}_kahnd/">What kahnd is doing</a></footer>\n</body>\n</html>\n',
        ]
        return "\n".join(parts).encode()

    def _unknown(self, address: OutputAddress) -> Iterator[str]:
        if self._context.view.take().state == "scanning":
            yield "<p>kahnd is still looking at the sources.</p>"
        yield f"<p>No document makes <code>{escape(address.file)}</code>.</p>"
        near = self._context.view.outputs.near(address.file, MAX_NEAR)
        if near:
            yield "<p>These are near:</p>\n<ul>"
            yield from (_link(address.base, each) for each in near)
            yield "</ul>"
        elif address.path:
            yield f'<p><a href="{escape(address.base)}">The first page</a></p>'


def _known(found: FoundOutput) -> tuple[str, list[str]]:
    """Returns title and body of the page for an output that a document makes, and that is not there."""
    document = f"<code>{escape(found.document)}</code>"
    told = [_problem(found.problem)] if found.problem else []
    if found.status is Status.FAILED:
        return "This page failed", [f"<p>{document} can't be rendered:</p>", *told]
    if found.status is Status.BLOCKED:
        culprit = f": <code>{escape(found.because)}</code> is in the way" if found.because else ""
        return "This page is blocked", [f"<p>{document} can't be rendered yet{culprit}.</p>", *told]
    if found.status is Status.DIRTY:
        return "This page is being rendered", [f"<p>{document} is rendered now, or comes next.</p>"]
    return "This page is gone", [
        f"<p>{document} is rendered, and somebody has removed its output. <code>kahnd build</code> makes it again.</p>"
    ]


def _problem(problem: Problem) -> str:
    text = f"{problem}\n\n{problem.detail}" if problem.detail else str(problem)
    return f"<pre>{escape(text)}</pre>"


def _link(base: str, path: str) -> str:
    return f'<li><a href="{escape(base + shown_path(path))}">{escape(path)}</a></li>'


def _hoped_for(address: OutputAddress) -> str:
    """Returns the path that the address would have an output at: of a folder, if its name is no file's."""
    return address.index if not address.is_folder and "." not in address.last else address.file


def _is_shown(request: web.Request) -> bool:
    destination = request.headers.get("Sec-Fetch-Dest")
    accepted = request.headers.get("Accept", "*/*")
    if destination is not None:  # the client on a page asks for pages, and shows them
        return destination in _SHOWN_AS_PAGES or (destination == "empty" and accepted == "text/html")
    return "text/html" in accepted or "*/*" in accepted
