"""The property for Hypothesis: draws a project and its edits, and compares whenever everything is rendered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from agreement import steps, strategies
from agreement.language import Document, Tree
from agreement.replay import Keeper
from agreement.trial import Tally, Trial

PHASES = (Phase.generate, Phase.shrink)
BETWEEN_RESTARTS = 25
"""Edits per start of a daemon, which takes as long as thirty of them."""


def _edits(name: str, edits: st.SearchStrategy[Any]) -> Callable[..., None]:
    """A Hypothesis rule that makes one edit, after which mostly everything is rendered."""

    def make(self: Agreement, edit: steps.FileEdit, pause: bool) -> None:  # noqa: FBT001 - a strategy
        self.perform(edit)
        self.rest(pause)

    make.__name__ = name
    return rule(edit=edits, pause=strategies.pauses)(make)


class Agreement(RuleBasedStateMachine):
    """One project from its first files to its last, which are also compared with a fresh build."""

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

    @initialize(documents=strategies.projects, pause=strategies.pauses)
    def begin(self, documents: dict[str, Document], pause: bool) -> None:  # noqa: FBT001 - a strategy
        self._trial = Trial(self._root, Tree(documents), self._tally, self._keep)
        self._trial.begin()
        self.rest(pause)

    write_page = _edits("write_page", strategies.writes(*strategies.PAGES))
    write_text = _edits("write_text", strategies.writes(*strategies.TEXTS))
    write_script = _edits("write_script", strategies.writes(*strategies.SCRIPTS))
    write_partial = _edits("write_partial", strategies.writes(*strategies.PARTIALS, *strategies.LAYOUTS))
    write_sheet = _edits("write_sheet", strategies.writes(*strategies.SHEETS))
    save = _edits("save", st.builds(steps.Save, strategies.paths, strategies.rarely))
    touch = _edits("touch", st.builds(steps.Touch, strategies.paths, strategies.times))
    write_through_link = _edits("write_through_link", strategies.linked_writes(*strategies.PATHS))
    delete = _edits("delete", st.builds(steps.Delete, strategies.paths))
    rename = _edits("rename", strategies.renames)
    move_folder = _edits("move_folder", strategies.folder_moves)
    break_ = _edits("break_", strategies.breaks)
    mend = _edits("mend", st.builds(steps.Mend, strategies.paths))
    switch = _edits("switch", st.builds(steps.Switch, strategies.projects))
    configure = _edits("configure", st.builds(steps.Configure, strategies.configs))
    break_config = _edits("break_config", st.builds(steps.BreakConfig))
    teach = _edits("teach", st.builds(steps.Teach, strategies.plugins))
    spoil_output = _edits("spoil_output", strategies.spoils)
    lose_outputs = _edits("lose_outputs", st.builds(steps.LoseOutputs))

    @rule(cycle=strategies.cycles, pause=strategies.pauses)
    def make_a_cycle(self, cycle: tuple[steps.Write, ...], pause: bool) -> None:  # noqa: FBT001 - a strategy
        for write in cycle:
            self.perform(write)
        self.rest(pause)

    @precondition(lambda self: self._since_restart > BETWEEN_RESTARTS)
    @rule(
        stop=st.sampled_from([steps.Stop("kill"), steps.Stop("stop"), steps.LoseStore()]),
        edits=st.lists(strategies.writes(*strategies.PATHS), max_size=3),
        build=st.booleans(),
    )
    def restart(self, stop: steps.Step, edits: list[steps.Write], build: bool) -> None:  # noqa: FBT001 - a strategy
        """Restarts the daemon, with edits while it is down, and at times with a build between its runs."""
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
    """Tries `examples` projects. Raises the AssertionError of a project that fails."""
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
