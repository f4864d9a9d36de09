"""Random projects with random edits at random moments always end like a naive evaluation."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from core.language import DYNAMIC, is_command, route_of
from core.naive import Evaluation, evaluate
from core.world import (
    ELSEWHERE,
    LAYOUT,
    PAGE_RULE,
    PAGES_ALONE,
    SEVERAL,
    SEVERAL_ELSEWHERE,
    World,
    with_recipe,
)
from kahnd.core.model import DocumentId, Status
from kahnd.core.output_paths import files_of
from kahnd.core.rules import Layout

DOCUMENTS = ("docs/a.md", "docs/b.md", "docs/c.md", "docs/d.cmd", "docs/a.alt", "docs/p.txt", "docs/q.txt")
PATTERNS = ("docs/*.md", "docs/p*")
LAYOUTS = (LAYOUT, with_recipe(PAGE_RULE, "2"), ELSEWHERE, PAGES_ALONE, SEVERAL, SEVERAL_ELSEWHERE)

names = st.sampled_from(DOCUMENTS)
references = st.builds("{} {}".format, st.sampled_from(["include", "maybe", "output", "link", "page", "needs"]), names)
uses = st.builds("{} {}".format, st.sampled_from(["title", "text", "url"]), names)
places = names | st.sampled_from(
    ["site/a.html", "site/d.out", "site/else/d.out", "docs/no.md", "site/z.html", "site/print/a.md"]
)
routes = st.builds("{} {}".format, st.sampled_from(["slug", "alias"]), st.sampled_from(["a", "z", "z", "old", "?"]))
links = st.builds("{} {}".format, st.sampled_from(["leads", "leads", "part"]), places)
collections = st.builds("{} {}".format, st.sampled_from(["pages", "titles"]), st.sampled_from(PATTERNS))
pieces = st.builds(
    "piece {}".format,
    st.sampled_from(["docs/a.md:site/print/a.md", "docs/b.md:site/b.md.raw", "docs/d.cmd:site/d.cmd.raw"]),
)
words = st.sampled_from(["one", "two", "three", "fail", "hidden", "unprintable"])
discoveries = st.builds("{} {}".format, st.sampled_from(["find", "find-output", "find-title"]), names)
lines = words | words | references | uses | links | collections | routes | pieces
texts = st.builds(
    lambda lines, last: "\n".join([*lines, *last]),
    st.lists(lines, max_size=3),
    st.lists(discoveries, max_size=1),
)
projects = st.dictionaries(names, texts, min_size=4)
moments = st.integers(min_value=0, max_value=5)


class Project(RuleBasedStateMachine):
    """Edits, observations and ends of renderings in any order; `quiet` finishes everything and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.start()
        self.world.settle()
        self.known: dict[str, object] = {}
        self.clean = True

    @initialize(project=projects, layout=st.sampled_from([LAYOUT, SEVERAL]))
    def begin(self, project: dict[str, str], layout: Layout) -> None:
        self.world.layout = layout
        self.world.start()
        self.switch(project)
        self.quiet()

    @rule(project=projects)
    def switch(self, project: dict[str, str]) -> None:
        """Checks out another branch."""
        for path in set(self.world.sources.texts) - set(project):
            self.world.delete(path)
        for path, text in project.items():
            self.world.write(path, text)

    @rule(document=names, text=texts)
    def write(self, document: str, text: str) -> None:
        self.world.write(document, text)

    @precondition(lambda self: self.world.sources.texts)
    @rule(moment=moments, text=texts)
    def rewrite_below_the_title(self, moment: int, text: str) -> None:
        document = sorted(self.world.sources.texts)[moment % len(self.world.sources.texts)]
        title, *_ = [*self.world.sources.texts[document].splitlines(), ""]
        self.world.write(document, f"{title}\n{text}")

    @rule(document=names)
    def delete(self, document: str) -> None:
        if document in self.world.sources.texts:
            self.world.delete(document)

    @rule(document=names)
    def touch(self, document: str) -> None:
        if document in self.world.sources.texts:
            self.world.write(document, self.world.sources.texts[document])

    @rule(document=names)
    def look_at(self, document: str) -> None:
        self.disturb()
        self.world.look(document)

    @rule()
    def look(self) -> None:
        self.disturb()
        self.world.look()

    @precondition(lambda self: self.world.running)
    @rule(moment=moments)
    def compute(self, moment: int) -> None:
        self.disturb()
        document = self.one_running(moment)
        self.look_first(document)
        if document in self.world.running:
            self.world.compute(document)

    @precondition(lambda self: self.world.running)
    @rule(moment=moments)
    def finish(self, moment: int) -> None:
        self.disturb()
        document = self.one_running(moment)
        self.look_first(document)
        if document in self.world.running:
            self.world.finish(document)

    @precondition(lambda self: self.world.rechecks)
    @rule()
    def recheck(self) -> None:
        self.disturb()
        self.world.recheck()

    @rule()
    def deliver_late(self) -> None:
        self.world.deliver_late()

    @rule(crash=st.booleans(), layout=st.sampled_from(LAYOUTS))
    def restart(self, crash: bool, layout: Layout) -> None:  # noqa: FBT001 - a strategy
        self.disturb()
        self.known = {}
        if crash:
            self.world.crash()
        self.world.flush()
        self.world.layout = layout
        self.world.start()

    @rule(document=names, last=st.booleans())
    def lose_output(self, document: str, last: bool) -> None:  # noqa: FBT001 - a strategy
        renderings = [DocumentId(document), *self.world.layout.renderings_of(DocumentId(document))]
        rendering, text = renderings[-1 if last else 0], self.world.sources.texts.get(document, "")
        output = self.world.layout.output_of(rendering, route_of(text, document))
        if output in self.world.outputs.texts:
            self.disturb()
            self.known.pop(rendering, None)
            self.world.lose_output(output)

    @rule()
    def retry(self) -> None:
        self.disturb()
        self.world.ask(retry=True)

    @rule()
    def quiet(self) -> None:
        """Observes and finishes everything, and compares."""
        self.world.look()
        rendered = self.world.settle()
        expected = evaluate(self.world.sources.texts, self.world.layout)
        self.compare_statuses(expected)
        self.compare_outputs(expected)
        self.compare_renderings(rendered, expected)

    teardown = quiet

    def disturb(self) -> None:
        """Renderings from here on may be due to changes that are undone before all is quiet."""
        self.clean = False

    def look_first(self, document: str) -> None:
        """Observes first, since a command reports no hashes: a file that changes back meanwhile can't be noticed."""
        if is_command(document, self.world.layout):
            self.world.look()

    def one_running(self, moment: int) -> str:
        running = list(self.world.running)
        return running[moment % len(running)]

    def compare_statuses(self, expected: Evaluation) -> None:
        """Distinguishes FAILED from BLOCKED only in projects without dynamic dependencies.

        A rendering that does not take place discovers nothing, and so may not learn that it is on a cycle.
        """
        statuses, wanted = self.world.statuses(), expected.statuses
        if any(word in text for text in self.world.sources.texts.values() for word in DYNAMIC):
            statuses, wanted = (
                {document: status if status is Status.DONE else Status.BLOCKED for document, status in each.items()}
                for each in (statuses, wanted)
            )
        assert statuses == wanted

    def compare_outputs(self, expected: Evaluation) -> None:
        outputs = self.world.outputs.texts
        assert {path: outputs.get(path) for path in expected.outputs} == expected.outputs
        broken = [DocumentId(each) for each, status in expected.statuses.items() if status is not Status.DONE]
        last_good = {layout.output_of(each) for each in broken for layout in LAYOUTS}
        last_good |= {path for each in broken for path, _ in files_of(self.world.machine.graph[each].facts)}
        assert outputs.keys() - expected.outputs.keys() <= last_good, "outputs that no document stands for"

    def compare_renderings(self, rendered: list[str], expected: Evaluation) -> None:
        if self.clean:
            for document in rendered:
                assert self.known.get(document) != expected.inputs[document], f"{document} was rendered for nothing"
                assert rendered.count(document) == 1
        for document, status in expected.statuses.items():
            if status is Status.DONE:
                self.known[document] = expected.inputs[document]
            elif not self.clean:
                self.known.pop(document, None)
        self.known = {document: each for document, each in self.known.items() if document in expected.statuses}
        self.clean = True


class Brief(Project):
    """The same machine, for the few examples that `make test` has time for."""


Brief.TestCase.settings = settings(max_examples=100, stateful_step_count=15, deadline=None)
TestBrief = Brief.TestCase
Project.TestCase.settings = settings(max_examples=500, stateful_step_count=15, deadline=None)
# A time limit that strikes within an example would count as a failure of that example, and as a flaky one.
TestProject = pytest.mark.slow(pytest.mark.timeout(900)(Project.TestCase))
