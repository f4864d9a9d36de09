"""One build's timeline, for the dashboard to draw, and whole as a file that Perfetto opens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from anyio import to_thread
from msgspec import structs

from kahnd.api import answers, schemas
from kahnd.api.timelines import Timeline, chrome_trace

MOST_SPANS: Final = 2_000
"""So many renderings are drawn: those on the critical path, and the longest."""


def drawn(timeline: Timeline) -> Timeline:
    """Returns a timeline that can be drawn, with the others counted as left out."""
    if len(timeline.spans) <= MOST_SPANS:
        return timeline
    ranks = [(not each.critical, each.started_ms - each.ended_ms, place) for place, each in enumerate(timeline.spans)]
    kept = sorted(place for _, _, place in sorted(ranks)[:MOST_SPANS])
    left_out = timeline.left_out + len(timeline.spans) - MOST_SPANS
    return structs.replace(timeline, spans=tuple(timeline.spans[each] for each in kept), left_out=left_out)


async def trace(timeline: Timeline) -> web.Response:
    """Answers with the whole timeline as a file."""
    body = await to_thread.run_sync(_trace, timeline)
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(timeline.build)}"'}
    return web.Response(status=HTTPStatus.OK, body=body, content_type="application/json", headers=headers)


def _trace(timeline: Timeline) -> bytes:
    return msgspec.json.encode(chrome_trace(schemas.plain(timeline, answers.Timeline)))


def _file_name(build: str) -> str:
    return f"kahnd-{''.join(each for each in build if each.isalnum() or each == '-')}.json"
