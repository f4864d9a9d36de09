"""The operations of kahnd, each written once: a typed request in, a typed answer out.

Two hosts differ only in how they come by an engine. The daemon asks the session of the moment. A process without a
daemon opens a session of its own for work, and makes a dry run for questions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import structs

from kahnd import __version__
from kahnd.api import routes, schemas, timelines
from kahnd.app.status import StatusSnapshot
from kahnd.core.explanation import BuildPlan, Explanation, plan_build
from kahnd.core.graph import Graph
from kahnd.core.model import BuildRecord, DocumentId, HistoryEntry, OutputPath, Problem, Reason, Status
from kahnd.core.nodes import Node, place_of
from kahnd.core.renderings import WORST_FIRST, document_of, documents_of, worst
from kahnd.core.rules import is_collection
from kahnd.core.timeline import BuildTimeline, RenderSpan
from kahnd.engine import Engine, OnProgress, TimedReport, resolve, why

T = TypeVar("T")
C = TypeVar("C", bound=schemas.Configured)


class Host(Protocol):
    """Gives operations an engine. Every method raises KahndError for what can't be answered."""

    @property
    def config_problems(self) -> Sequence[Problem]:
        """Why the `kahnd.toml` that was saved last can't be used; empty where it can."""
        ...

    async def status(self) -> StatusSnapshot:
        """Takes a snapshot that describes every failed and blocked document."""
        ...

    async def ask(self, question: Callable[[Engine], Awaitable[T]]) -> T:
        """Puts a question to an engine that knows the sources as they are now."""
        ...

    async def dry_run(self, targets: Sequence[str]) -> Engine:
        """Returns an engine that stands where a build of the targets (none: everything) would begin to render."""
        ...

    async def past_renders(self, target: str | None, limit: int) -> tuple[HistoryEntry, ...]:
        """Returns past renders, newest first, of a target or of everything."""
        ...

    async def timeline(self, build: str) -> BuildTimeline:
        """Returns the renderings of a build, by its id, the beginning of that, or `last`."""
        ...

    async def build(self, targets: Sequence[str], on_progress: OnProgress, *, force: bool) -> TimedReport:
        """Brings the targets (none: everything) up to date."""
        ...

    async def retry(self, targets: Sequence[str], on_progress: OnProgress) -> TimedReport:
        """Renders what failed of the targets and what they need (none: everything) again."""
        ...


class Operations:
    """Answers requests by way of a host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def status(self, _: routes.NoRequest, /) -> schemas.DaemonStatus:
        """Returns the daemon's state, documents by status, what is wrong, and the last build."""
        return status_answer(await self._host.status())

    async def plan(self, request: schemas.PlanRequest, /) -> schemas.Plan:
        """Returns what a build would render now, and why. A build tries failed documents again, and so does this."""
        engine = await self._host.dry_run(request.target)
        return self._configured(plan_answer(plan_build(engine.machine)))

    async def graph(self, request: schemas.GraphRequest, /) -> schemas.Graph:
        """Returns nodes and edges: all, or what the targets need, or (`reverse`) what needs them."""

        async def select(engine: Engine) -> schemas.Graph:
            graph, targets = engine.machine.graph, request.target
            if not targets:
                return graph_answer(graph, None)
            if request.reverse:
                return graph_answer(graph, dependents(graph, resolve(graph, targets)))
            return graph_answer(graph, await engine.closure(targets))

        return self._configured(await self._host.ask(select))

    async def why(self, request: schemas.WhyRequest, /) -> schemas.Why:
        """Explains why a document was rendered, or would be."""
        explanations = await self._host.ask(lambda engine: why(engine.machine, request.target, engine.past_renders))
        return self._configured(why_answer(explanations))

    async def history(self, request: schemas.HistoryRequest, /) -> schemas.History:
        """Returns past renders, newest first."""
        entries = await self._host.past_renders(request.document, request.limit)
        return self._configured(history_answer(entries))

    async def timeline(self, request: timelines.TimelineRequest, /) -> timelines.Timeline:
        """Returns the renderings of a build: when, by which worker, and what each waited for."""
        return self._configured(timeline_answer(await self._host.timeline(request.build)))

    async def build(self, request: schemas.BuildRequest, on_progress: OnProgress, /) -> schemas.Report:
        """Brings the targets up to date, tries failed ones again, and restores outputs that are gone or altered."""
        answer = await self._host.build(request.targets, on_progress, force=request.force)
        return self._configured(report_answer(answer))

    async def retry(self, request: schemas.RetryRequest, on_progress: OnProgress, /) -> schemas.Report:
        """Renders failed documents again, and what they blocked."""
        return self._configured(report_answer(await self._host.retry(request.targets, on_progress)))

    def _configured(self, answer: C) -> C:
        return with_config_problems(answer, self._host.config_problems)


class DaemonHost(Host, Protocol):
    """A host that watches: it can be waited for, and its configuration can change."""

    def trouble(self) -> str:
        """Tells why no answer comes for now; empty where one does."""
        ...

    async def wait(self, targets: Sequence[str], on_progress: OnProgress) -> TimedReport:
        """Returns when every change made before the call is rendered."""
        ...

    async def reload(self) -> bool:
        """Reads the configuration again; True if anything has changed. Raises KahndError if it can't be used."""
        ...

    def prefer(self, documents: Collection[str]) -> None:
        """Has these documents rendered before all others."""
        ...


class DaemonOperations(Operations):
    """Adds what only a daemon can do. Fulfils `api.handlers.Operations`."""

    def __init__(self, host: DaemonHost) -> None:
        super().__init__(host)
        self._daemon = host

    def trouble(self) -> str:
        """Tells why no answer comes for now; empty where one does."""
        return self._daemon.trouble()

    async def wait(self, request: schemas.WaitRequest, on_progress: OnProgress, /) -> schemas.Report:
        """Returns the report when every change made before the request is rendered."""
        return self._configured(report_answer(await self._daemon.wait(request.targets, on_progress)))

    async def builds(self, limit: int) -> tuple[schemas.Build, ...]:
        """Returns finished builds, newest first."""
        return tuple(map(_build, await self._daemon.ask(lambda engine: engine.builds(limit))))

    async def reload(self, _: schemas.ReloadRequest, /) -> schemas.Reloaded:
        """Reads the configuration again."""
        return schemas.Reloaded(await self._daemon.reload())

    def prefer(self, documents: Collection[str]) -> None:
        """From now on has these documents, which somebody looks at, rendered before all others, with what they need.

        They replace those of earlier calls. Outlives a reload of the configuration.
        """
        self._daemon.prefer(documents)


def report_answer(answer: TimedReport) -> schemas.Report:
    """Returns the answer to `build`, `retry` and `wait`."""
    report = answer.report
    return schemas.Report(
        rendered=report.rendered,
        skipped=report.skipped,
        failed=_failures(report.failed),
        blocked=_blocked(report.blocked),
        removed=report.removed,
        warnings=_warned(report.warnings),
        cycles=report.cycles,
        duration_ms=round(answer.duration_ms, 2),
    )


def status_answer(now: StatusSnapshot) -> schemas.DaemonStatus:
    """Returns the answer to `status`."""
    counts = {each.lower(): now.counts.get(each.lower(), 0) for each in Status}
    failed = [(each.document, each.problem) for each in now.problems if each.because is None]
    blocked = [(each.document, each.because, each.problem) for each in now.problems if each.because is not None]
    return schemas.DaemonStatus(
        project=now.daemon.project,
        root=now.daemon.root,
        pid=now.daemon.pid,
        state=now.state,
        version=__version__,
        documents=schemas.Documents(total=sum(counts.values()), **counts),
        failures=_failures(failed),
        blocked=_blocked(blocked),
        warnings=_warned([(each.document, each.problem) for each in now.warnings]),
        missing=tuple(schemas.Missing(each.document, each.needed_by, each.count) for each in now.missing),
        last_build=None if now.last_build is None else _build(now.last_build),
        watch=schemas.Watch(now.watch.backend, now.watch.overflows, now.watch.rescans, now.watch.unwatched),
        store=schemas.Store(now.store.url),
        serve=schemas.Serve(now.serve.url) if now.serve.url else None,
        **_config_problems(now.config_problems),
    )


def with_config_problems(answer: C, config_problems: Sequence[Problem]) -> C:
    """Returns the answer, with the mistakes in kahnd.toml if there are any."""
    return structs.replace(answer, **_config_problems(config_problems)) if config_problems else answer


def _config_problems(config_problems: Sequence[Problem]) -> dict[str, Any]:
    text = "\n".join(map(str, config_problems)) or None
    return {"config_error": text, "config_problems": tuple(map(schemas.problem, config_problems))}


def plan_answer(plan: BuildPlan) -> schemas.Plan:
    """Returns the answer to `plan`: each document once in a generation, with the reason of its first rendering."""
    generations = tuple(map(documents_of, plan.generations))
    reasons: dict[str, str] = {}
    for each, reason in plan.summaries.items():
        reasons.setdefault(document_of(each), reason)
    return schemas.Plan(generations, reasons, tuple(tuple(map(document_of, each)) for each in plan.cycles))


def why_answer(explanations: Sequence[Explanation]) -> schemas.Why:
    """Returns the answer to `why`, about all renderings: the state of the worst, or of that which was rendered last."""
    first = max(explanations, key=_weight)
    return schemas.Why(
        document=document_of(first.document),
        status=first.status,
        reasons=tuple(
            _reason(each, explanation.output) for explanation in explanations for each in explanation.reasons
        ),
        chain=documents_of(first.chain),
        rendered=None if first.rendered is None else _past(first.rendered),
    )


def _weight(explanation: Explanation) -> tuple[int, str]:
    rendered = explanation.rendered
    return -WORST_FIRST.index(explanation.status), rendered.started_at if rendered else ""


def history_answer(entries: Sequence[HistoryEntry]) -> schemas.History:
    """Returns the answer to `history`: its list, as an object's one value."""
    return schemas.History(tuple(map(_past, entries)))


def timeline_answer(found: BuildTimeline) -> timelines.Timeline:
    """Returns the answer to `history --trace`."""
    return timelines.Timeline(
        build=found.build,
        cause=found.cause,
        started_at=found.started_at,
        duration_ms=round(found.duration_ms, 2),
        running=found.running,
        critical_ms=round(found.critical_ms, 2),
        left_out=found.left_out,
        from_history=found.from_history,
        spans=tuple(map(_span, found.spans)),
    )


def _span(span: RenderSpan) -> timelines.Span:
    return timelines.Span(
        document=span.document,
        lane=span.lane,
        ready_ms=round(span.ready_ms, 3),
        started_ms=round(span.started_ms, 3),
        ended_ms=round(span.ended_ms, 3),
        generation=span.generation,
        ending=span.ending,
        after=span.after,
        critical=span.critical,
    )


def graph_answer(graph: Graph, within: Collection[DocumentId] | None) -> schemas.Graph:
    """Returns the answer to `graph`: these nodes (None: all) and the edges among them, from depends on to."""
    nodes = sorted(
        (node for node in graph if within is None or node.facts.id in within), key=lambda node: node.facts.id
    )
    shown = {node.document: graph.renderings(node.document) or [node] for node in nodes}
    edges = dict.fromkeys(
        (node.document, document_of(each.target), each.kind)
        for node in nodes
        for each in node.dependencies
        if document_of(each.target) in shown and _is_between(node, each.target)
    )
    return schemas.Graph(nodes=tuple(map(_node, shown.values())), edges=tuple(schemas.Edge(*each) for each in edges))


def _is_between(node: Node, target: DocumentId) -> bool:
    """Tells whether an edge is one between documents, or of one to itself; not one between its renderings."""
    return node.facts.id == target or node.document != document_of(target)


def dependents(graph: Graph, targets: Collection[DocumentId]) -> frozenset[DocumentId]:
    """Returns the targets and everything that depends on them, transitively."""
    above: dict[DocumentId, list[DocumentId]] = {}
    for node in graph:
        for each in node.dependencies:
            above.setdefault(each.target, []).append(node.facts.id)
    found, rest = set(targets), list(targets)
    while rest:
        fresh = [each for each in above.get(rest.pop(), ()) if each not in found]
        found.update(fresh)
        rest.extend(fresh)
    return frozenset(found)


def _reason(reason: Reason, output: str) -> schemas.Reason:
    document = document_of(reason.document)
    return schemas.Reason(reason.kind, document, reason.before, reason.after, tuple(reason.facets), output)


def _past(entry: HistoryEntry) -> schemas.Render:
    return schemas.Render(
        document=document_of(entry.document),
        build=entry.build,
        cause=entry.cause,
        status=entry.status,
        started_at=entry.started_at,
        duration_ms=round(entry.duration_ms, 2),
        error=entry.error,
    )


def _failures(failed: Sequence[tuple[DocumentId, Problem]]) -> tuple[schemas.Failure, ...]:
    return tuple(
        schemas.Failure(document, str(problem), problem.detail, **_place(problem)) for document, problem in failed
    )


def _blocked(blocked: Sequence[tuple[DocumentId, DocumentId, Problem]]) -> tuple[schemas.Blocked, ...]:
    return tuple(
        schemas.Blocked(document, because, str(problem), **_place(problem)) for document, because, problem in blocked
    )


def _warned(warnings: Sequence[tuple[DocumentId, Problem]]) -> tuple[schemas.Warned, ...]:
    return tuple(schemas.Warned(document, str(problem), **_place(problem)) for document, problem in warnings)


def _place(problem: Problem) -> dict[str, Any]:
    """Returns the parts that an error's text is made of."""
    return {name: getattr(problem, name) for name in ("message", "file", "line", "column", "remedy")}


def _build(build: BuildRecord) -> schemas.Build:
    return schemas.Build(
        id=build.id,
        cause=build.cause,
        started_at=build.started_at,
        duration_ms=round(build.duration_ms, 2),
        rendered=build.rendered,
        skipped=build.skipped,
        failed=build.failed,
        blocked=build.blocked,
        removed=build.removed,
        generations=build.generations,
    )


def _node(renderings: Sequence[Node]) -> schemas.Node:
    """Returns a document's node, from those of its renderings: its own first."""
    first = renderings[0]
    return schemas.Node(
        first.document,
        worst(each.status for each in renderings),
        first.rule.match if first.rule else None,
        place_of(first) or first.claim,
        is_collection(first.facts.id),
        tuple(path for each in renderings for path in _outputs(each)),
    )


def _outputs(node: Node) -> tuple[OutputPath, ...]:
    made = node.facts.outputs if node.facts.output == node.claim else None
    return tuple(path for path, _ in made) if made else node.claims
