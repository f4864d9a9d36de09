"""What the command line does without a daemon: the same engine, without a watcher, until it is quiet."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import anyio

from kahnd.core.graph import Graph
from kahnd.core.messages import Asked, Report
from kahnd.core.model import BuildRecord, DocumentId, HistoryEntry, Snapshot
from kahnd.core.preview import preview
from kahnd.engine import Answered, Engine, OnProgress, past_renders, questions, resolve
from kahnd.errors import ConfigError
from kahnd.service import present
from kahnd.service.api import shapes
from kahnd.service.api.shapes import plain
from kahnd.service.client import Progress
from kahnd.service.clock import SystemClock, build_ids
from kahnd.service.events import Event, tell
from kahnd.service.groups import unwrapped
from kahnd.service.limits import claim
from kahnd.service.lock import project_lock
from kahnd.service.logs import configure
from kahnd.service.rehearsal import rehearsed
from kahnd.service.session import Project, Say, is_stored, open_session, read_project, stored

Json = dict[str, Any]


def build(root: Path, targets: tuple[str, ...], *, force: bool, progress: Callable[[Progress], None]) -> Json:
    """Bring the targets (none: everything) up to date; the report. Raises KahndError."""

    async def asked(engine: Engine, on_progress: OnProgress) -> Asked:
        return engine.open("build", targets, on_progress, retry=True, force=force)

    return _performed(root, asked, progress)


def retry(root: Path, targets: tuple[str, ...], *, progress: Callable[[Progress], None]) -> Json:
    """Try failed documents (none given: all) again, and what they block; nothing else. The report.

    What else has changed stays as it is, unless these need it. Raises KahndError.
    """

    async def asked(engine: Engine, on_progress: OnProgress) -> Asked | None:
        broken = await engine.broken(targets)
        return engine.open("retry", broken, on_progress, retry=True, lenient=True) if broken else None

    return _performed(root, asked, progress)


_Question = Callable[[Engine, OnProgress], Awaitable[Asked | None]]


def _performed(root: Path, question: _Question, progress: Callable[[Progress], None]) -> Json:
    """A session that ends with the answer to its question, and is over at once where there is none."""
    project = read_project(root)
    missing = project.config.missing_sources()
    if missing:
        raise ConfigError(*missing)
    files = claim()
    with project_lock(root), unwrapped():
        logging = configure(project.config.log, root, terminal=False, stream=None, secrets=project.config.store.secrets)

        def say(event: str, **fields: Any) -> None:
            tell(logging.log, Event(event), **fields)
            if event in {Event.STATE_DAMAGED, Event.OUTPUT_STUCK}:
                _warn(str(fields["error"]), str(fields.get("remedy", "")))

        def on_progress(done: int, total: int, document: str) -> None:
            progress(Progress(done, total, document))

        try:
            return plain(present.answered(anyio.run(_perform, project, question, on_progress, say, files)))
        finally:
            logging.close()


async def _perform(project: Project, question: _Question, on_progress: OnProgress, say: Say, files: int) -> Answered:
    began = SystemClock().monotonic()
    async with open_session(project, say, build_ids(), files=files) as session, anyio.create_task_group() as tasks:
        engine = session.engine
        asked = await question(engine, on_progress)
        if asked is None:
            return Answered(Report(), 0.0)

        async def run() -> None:
            await engine.run(cause=asked.cause, asked=asked)

        tasks.start_soon(run)
        answer = await engine.answered(asked.ticket, began)
        tasks.cancel_scope.cancel()
    return answer


def plan(root: Path, targets: tuple[str, ...]) -> Json:
    """The generations that a build would render now, and why; nothing is changed."""
    project = read_project(root)
    with _at_rest(project), unwrapped():
        return anyio.run(_plan, project, targets)


def status(root: Path) -> Json:
    """How the documents stand while no daemon runs: as the database says, and what has changed since is dirty."""
    project = read_project(root)
    with _at_rest(project), unwrapped():
        graph, last_build = anyio.run(_standing, project)
    config = project.config
    told = present.status(
        config.name,
        str(root),
        graph,
        last_build,
        pid=None,
        state="stopped",
        watch=shapes.Watch(backend=None, overflows=0, rescans=0, unwatched=()),
        store=config.store.url,
    )
    return plain(told)


def why(root: Path, target: str) -> Json:
    """Why a document was rendered, or would be by a build now."""
    project = read_project(root)
    with _at_rest(project), unwrapped():
        return anyio.run(_why, project, target)


def history(root: Path, document: str | None, limit: int) -> Json:
    """Past renders, newest first, from the database."""
    project = read_project(root)
    with _at_rest(project), unwrapped():
        return plain(present.history(anyio.run(_history, project, document, limit)))


def graph(root: Path, target: str | None, *, reverse: bool) -> Json:
    """Nodes and edges as the source files are now."""
    project = read_project(root)
    with _at_rest(project), unwrapped():
        return anyio.run(_graph, project, target, reverse)


def _at_rest(project: Project) -> AbstractContextManager[object]:
    """Keep others out while the database is read; a project without one is not given any."""
    claim()
    return project_lock(project.root) if is_stored(project.config) else nullcontext()


async def _snapshot(project: Project) -> Snapshot:
    if not is_stored(project.config):
        return Snapshot()
    async with stored(project.config, _noting(project)) as store:
        return await store.load()


async def _standing(project: Project) -> tuple[Graph, BuildRecord | None]:
    """Of a project that was never built nothing is known, and nothing is looked at."""
    if not is_stored(project.config):
        return Graph(project.layout, Snapshot()), None
    engine = await _rehearsed(project)
    return engine.machine.graph, engine.last_build


async def _why(project: Project, target: str) -> Json:
    engine = await _rehearsed(project)

    async def past(document: DocumentId | None, limit: int) -> tuple[HistoryEntry, ...]:
        if not is_stored(project.config):
            return ()
        async with stored(project.config, _noting(project)) as store:
            return await store.history(document, limit)

    return plain(present.why(await questions.why(engine, target, past)))


async def _history(project: Project, document: str | None, limit: int) -> tuple[HistoryEntry, ...]:
    if not is_stored(project.config):
        return ()
    async with stored(project.config, _noting(project)) as store:
        snapshot = await store.load()
        return await past_renders(Graph(project.layout, snapshot), store.history, document, limit)


async def _plan(project: Project, targets: tuple[str, ...]) -> Json:
    found = preview((await _rehearsed(project, targets, retry=True)).machine)
    return plain(present.plan(found))


async def _graph(project: Project, target: str | None, reverse: bool) -> Json:  # noqa: FBT001 - anyio.run passes by position
    engine = await _rehearsed(project)
    graph = engine.machine.graph
    if target is None:
        return plain(present.graph_of(graph, None))
    found = present.dependents(graph, resolve(graph, (target,))) if reverse else await engine.closure((target,))
    return plain(present.graph_of(graph, found))


async def _rehearsed(project: Project, targets: tuple[str, ...] = (), *, retry: bool = False) -> Engine:
    return await rehearsed(project, await _snapshot(project), targets, retry=retry)


def _noting(project: Project) -> Say:
    """Into the log, which is opened for nothing but what must not go untold: that the database was moved aside."""

    def say(event: str, **fields: Any) -> None:
        secrets = project.config.store.secrets
        logging = configure(project.config.log, project.root, terminal=False, stream=None, secrets=secrets)
        try:
            tell(logging.log, Event(event), **fields)
        finally:
            logging.close()

    return say


def _warn(message: str, remedy: str) -> None:
    """On standard error: nobody reads a command's log. Without what steers a terminal, which paths may hold."""
    text = "".join(
        each if each.isprintable() else "�" for each in f"kahnd: warning: {message}{remedy and f' ({remedy})'}"
    )
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr)  # noqa: T201
