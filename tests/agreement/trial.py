"""One project, from its first files through all that happens to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agreement import steps
from agreement.bench import Bench
from agreement.judge import Judge, compare_fresh
from agreement.language import Tree
from agreement.oracle import Evaluation


class History(msgspec.Struct, frozen=True):
    """All it takes to run a trial again."""

    tree: Tree
    steps: tuple[steps.Step, ...] = ()


@dataclass
class Tally:
    """What was done in all."""

    projects: int = 0
    steps: int = 0
    quiets: int = 0
    starts: int = 0
    rendered: int = 0
    documents: int = 0
    done: int = 0
    fresh: int = 0


@dataclass
class Trial:
    """Performs steps on a real project. Raises AssertionError where it does not come to what it must.

    `failed` is told the history of a trial that did not go well.
    """

    root: Path
    tree: Tree
    tally: Tally
    failed: Callable[[History, Exception], None] = lambda *_: None
    sound: bool = True
    _steps: list[steps.Step] = field(default_factory=list)
    _moments: list[Tree] = field(default_factory=list)
    _spoilt: set[str] = field(default_factory=set)
    _judge: Judge = field(default_factory=Judge)
    _report: dict[str, Any] = field(default_factory=dict)
    _settled: Tree | None = None

    def begin(self) -> None:
        """The first files, and a daemon."""
        self._first, self._moments = self.tree, [self.tree]
        self.tally.projects += 1
        self._bench = Bench(self.root, self.tree)
        self.perform(steps.Start())

    def end(self) -> None:
        """Nothing is left."""
        self._bench.stop("kill")
        self._bench.remove()

    def perform(self, step: steps.Step) -> None:
        """Make one step, if it can be made now."""
        self._steps.append(step)
        with self._kept():
            self.tally.steps += self._performed(step)

    def compare_with_fresh(self) -> None:
        """Come to quiet, and compare with a fresh build by the command; not after a step that failed."""
        if self.sound:
            self._mend_config()
            self.perform(steps.Quiet())
            with self._kept():
                compare_fresh(self.tree, self._report, self._bench.outputs(), *self._bench.fresh())
            self.tally.fresh += 1

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.sound = False
            self.failed(History(self._first, tuple(self._steps)), error)
            raise

    def _performed(self, step: steps.Step) -> bool:  # noqa: PLR0911 - a line a step
        match step:
            case steps.Quiet():
                return self._quiet()
            case steps.Start():
                return self._start()
            case steps.Stop(how):
                return self._stop(how)
            case steps.LoseStore():
                return self._lose_store()
            case steps.SpoilOutput(of, how):
                return self._spoil(of, how)
            case steps.LoseOutputs():
                return self._lose_outputs()
            case _:
                return self._edit(step)

    def _edit(self, edit: steps.FileEdit) -> bool:
        if not steps.applies(self.tree, edit) or (isinstance(edit, steps.BreakConfig) and not self._config_is_known()):
            return False
        after = steps.after(self.tree, edit)
        self._moments += steps.moments(self.tree, edit)
        self._bench.make(edit, self.tree, after)
        self.tree = after
        return True

    def _config_is_known(self) -> bool:
        """Whether the daemon has surely read kahnd.toml, and with it the plug-in, as they are."""
        trees = [*self._moments, self.tree]
        return self._settled is not None and all(_session_of(each) == _session_of(self._settled) for each in trees)

    def _spoil(self, of: str, how: str) -> bool:
        output = Evaluation(self.tree).claims.get(of)
        if output is None or output not in self._bench.outputs():
            return False
        self._note_spoilt(output)
        self._bench.spoil(output, how)
        return True

    def _lose_outputs(self) -> bool:
        self._note_spoilt()
        self._bench.lose(self.tree.config.output)
        return True

    def _note_spoilt(self, output: str | None = None) -> None:
        """Whose output this is (None: all), or was when the daemon looked last."""
        trees = [*self._moments, self.tree, *([self._settled] if self._settled else [])]
        claims = [each for tree in trees for each in Evaluation(tree).claims.items()]
        self._spoilt |= {document for document, claim in claims if output in {claim, None}}

    def _start(self) -> bool:
        if self._bench.running:
            return False
        self._mend_config()
        self._bench.start()
        self.tally.starts += 1
        return True

    def _stop(self, how: str) -> bool:
        running = self._bench.running
        self._bench.stop(how)
        return running

    def _lose_store(self) -> bool:
        self._bench.stop("kill")
        self._bench.lose(".kahnd/db")
        self._judge.forget()
        return True

    def _mend_config(self) -> None:
        """Nothing starts on a broken kahnd.toml."""
        if self.tree.config_broken:
            self._edit(steps.Configure(self.tree.config))

    def _quiet(self) -> bool:
        if not self._bench.running:
            self._mend_config()
        self._report = self._bench.quiet()
        rendered = self._bench.rendered()
        now = self._judge.compare(
            self._moments or [self.tree], self._spoilt, self._report, rendered, self._bench.outputs()
        )
        self._moments, self._spoilt, self._settled = [], set(), self.tree
        self.tally.quiets += 1
        self.tally.rendered += len(rendered)
        self.tally.documents += len(now.present)
        self.tally.done += len(now.done)
        return True


def _session_of(tree: Tree) -> object:
    """What a daemon's session is built on."""
    return tree.config, tree.plugin
