"""The property, for Hypothesis: draw a project, draw what happens to it, and compare whenever all is quiet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from agreement import draw, steps
from agreement.language import Document, Tree
from agreement.replay import Keeper
from agreement.trial import Tally, Trial

PHASES = (Phase.generate, Phase.shrink)
BETWEEN_RESTARTS = 25
"""A daemon's start costs as much as thirty edits."""


def _edits(name: str, edits: st.SearchStrategy[Any]) -> Callable[..., None]:
    """A rule that makes one edit; mostly all is let come to quiet then."""

    def make(self: Agreement, edit: steps.FileEdit, pause: bool) -> None:  # noqa: FBT001 - a strategy
        self.perform(edit)
        self.rest(pause)

    make.__name__ = name
    return rule(edit=edits, pause=draw.pauses)(make)


class Agreement(RuleBasedStateMachine):
    """One project from its first files to its last; in the end also compared with a fresh build."""

    def __init__(self, root: Path, tally: Tally, keep: Keeper) -> None:
        super().__init__()
        self._root, self._tally, self._keep = root, tally, keep
        self._trial: Trial | None = None
        self._since_restart = 0

    def perform(self, step: steps.Step) -> None:
        if self._trial is None:
            raise AssertionError("nothing comes before the project")
        self._since_restart += 1
        self._trial.perform(step)

    def rest(self, pause: bool) -> None:  # noqa: FBT001 - a strategy
        if pause:
            self.perform(steps.Quiet())

    @initialize(documents=draw.projects, pause=draw.pauses)
    def begin(self, documents: dict[str, Document], pause: bool) -> None:  # noqa: FBT001 - a strategy
        self._trial = Trial(self._root, Tree(documents), self._tally, self._keep)
        self._trial.begin()
        self.rest(pause)

    write_page = _edits("write_page", draw.writes(*draw.PAGES))
    write_text = _edits("write_text", draw.writes(*draw.TEXTS))
    write_script = _edits("write_script", draw.writes(*draw.SCRIPTS))
    write_partial = _edits("write_partial", draw.writes(*draw.PARTIALS, *draw.LAYOUTS))
    write_sheet = _edits("write_sheet", draw.writes(*draw.SHEETS))
    save = _edits("save", st.builds(steps.Save, draw.paths, draw.rarely))
    touch = _edits("touch", st.builds(steps.Touch, draw.paths, draw.times))
    write_through_link = _edits("write_through_link", draw.linked_writes(*draw.PATHS))
    delete = _edits("delete", st.builds(steps.Delete, draw.paths))
    rename = _edits("rename", draw.renames)
    move_folder = _edits("move_folder", draw.folder_moves)
    break_ = _edits("break_", draw.breaks)
    mend = _edits("mend", st.builds(steps.Mend, draw.paths))
    switch = _edits("switch", st.builds(steps.Switch, draw.projects))
    configure = _edits("configure", st.builds(steps.Configure, draw.configs))
    break_config = _edits("break_config", st.builds(steps.BreakConfig))
    teach = _edits("teach", st.builds(steps.Teach, draw.plugins))
    spoil_output = _edits("spoil_output", draw.spoils)
    lose_outputs = _edits("lose_outputs", st.builds(steps.LoseOutputs))

    @rule(cycle=draw.cycles, pause=draw.pauses)
    def make_a_cycle(self, cycle: tuple[steps.Write, ...], pause: bool) -> None:  # noqa: FBT001 - a strategy
        for write in cycle:
            self.perform(write)
        self.rest(pause)

    @precondition(lambda self: self._since_restart > BETWEEN_RESTARTS)
    @rule(
        stop=st.sampled_from([steps.Stop("kill"), steps.Stop("stop"), steps.LoseStore()]),
        edits=st.lists(draw.writes(*draw.PATHS), max_size=3),
        build=st.booleans(),
    )
    def restart(self, stop: steps.Step, edits: list[steps.Write], build: bool) -> None:  # noqa: FBT001 - a strategy
        """With edits while the daemon is down, and at times a build between runs."""
        self._since_restart = 0
        for step in (stop, *edits, *([steps.Quiet()] if build else []), steps.Start()):
            self.perform(step)

    def teardown(self) -> None:
        if self._trial:
            try:
                self._trial.compare_with_fresh()
            finally:
                self._trial.end()


def run(  # noqa: PLR0913 - all that there is to choose
    folder: Path,
    keep: Keeper,
    tally: Tally,
    *,
    examples: int,
    step_count: int,
    derandomize: bool,
    phases: tuple[Phase, ...] = PHASES,
) -> None:
    """So many projects of so many rules' uses. Raises what a project came to that it must not."""
    shown = settings(
        max_examples=examples,
        stateful_step_count=step_count,
        derandomize=derandomize,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: Agreement(folder / "project", tally, keep), settings=shown)  # type: ignore[arg-type]
