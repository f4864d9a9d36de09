"""One project with everything that happens to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agreement import steps
from agreement.checks import Built, Checker, Files, compare_fresh
from agreement.language import Tree
from agreement.live_project import LiveProject
from agreement.names import stands_for
from agreement.oracle import evaluate


class History(msgspec.Struct, frozen=True):
    """Everything needed to run a trial again."""

    tree: Tree
    steps: tuple[steps.Step, ...] = ()


@dataclass
class Tally:
    """The numbers of steps in all trials."""

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
    """Performs steps on a real project. Raises AssertionError if a check fails.

    `failed` is called with the history of a trial that fails.
    """

    root: Path
    tree: Tree
    tally: Tally
    failed: Callable[[History, Exception], None] = lambda *_: None
    sound: bool = True
    _steps: list[steps.Step] = field(default_factory=list)
    _moments: list[Tree] = field(default_factory=list)
    _spoilt: set[str] = field(default_factory=set)
    _checker: Checker = field(default_factory=Checker)
    _report: dict[str, Any] = field(default_factory=dict)
    _settled: Tree | None = None
    _unrecorded: set[str] = field(default_factory=set)
    """The outputs not rendered since the database was lost: kahnd does not overwrite those that were altered."""

    def begin(self) -> None:
        """Writes the first files and starts a daemon."""
        self._first, self._moments = self.tree, [self.tree]
        self.tally.projects += 1
        self._live = LiveProject(self.root, self.tree)
        self.perform(steps.Start())

    def end(self) -> None:
        """Removes everything."""
        self._live.stop("kill")
        self._live.remove()

    def perform(self, step: steps.Step) -> None:
        """Performs a step if it is possible now."""
        self._steps.append(step)
        with self._kept():
            self.tally.steps += self._performed(step)

    def compare_with_fresh(self) -> None:
        """Renders everything and compares with a fresh build, unless a step has failed."""
        if self.sound:
            self._mend_config()
            self.perform(steps.Quiet())
            with self._kept():
                live = Built(self._report, self._live.outputs())
                compare_fresh(self.tree, self._checker.kept, live, Built(*self._live.fresh()))
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
        if _moves_ignored(self.tree, after):
            return False
        self._moments += steps.moments(self.tree, edit)
        self._live.make(edit, self.tree, after)
        self.tree = after
        return True

    def _config_is_known(self) -> bool:
        """Returns whether the daemon has certainly read the present kahnd.toml and plug-in."""
        trees = [*self._moments, self.tree]
        return self._settled is not None and all(_session_of(each) == _session_of(self._settled) for each in trees)

    def _spoil(self, of: str, how: str) -> bool:
        claim = evaluate(self.tree, self._checker.kept).claims.get(of, "")
        output = next((path for path in sorted(self._live.outputs()) if stands_for(path, claim)), None)
        if output is None or (how == "alter" and output in self._unrecorded):
            return False
        self._note_spoilt(output)
        self._live.spoil(output, how)
        return True

    def _lose_outputs(self) -> bool:
        self._note_spoilt()
        self._live.delete_folder(self.tree.config.output)
        return True

    def _note_spoilt(self, output: str | None = None) -> None:
        """Notes whose output this is, or was at the daemon's last look (None: all outputs)."""
        trees = [*self._moments, self.tree, *([self._settled] if self._settled else [])]
        claims = [each for tree in trees for each in evaluate(tree, self._checker.kept).claims.items()]
        self._spoilt |= {document for document, claim in claims if output is None or stands_for(output, claim)}

    def _start(self) -> bool:
        if self._live.running:
            return False
        self._mend_config()
        self._live.start()
        self.tally.starts += 1
        return True

    def _stop(self, how: str) -> bool:
        running = self._live.running
        self._live.stop(how)
        return running

    def _lose_store(self) -> bool:
        self._live.stop("kill")
        self._live.delete_folder(".kahnd/db")
        self._live.remove_altered()
        self._checker.forget()
        self._unrecorded = set(self._live.outputs())
        return True

    def _mend_config(self) -> None:
        """Repairs a broken kahnd.toml, with which nothing can start."""
        if self.tree.config_broken:
            self._edit(steps.Configure(self.tree.config))

    def _quiet(self) -> bool:
        if not self._live.running:
            self._mend_config()
        self._report = self._live.quiet()
        rendered = self._live.rendered()
        moments, files = self._moments or [self.tree], Files(self._live.outputs(), self._live.generated())
        now = self._checker.compare(moments, self._spoilt, self._report, rendered, files)
        self._live.remove_altered(but=now.claims.values())  # what nobody renders any more is the user's to remove
        self._moments, self._spoilt, self._settled = [], set(), self.tree
        self._unrecorded -= now.outputs.keys()
        self.tally.quiets += 1
        self.tally.rendered += len(rendered)
        self.tally.documents += len(now.present)
        self.tally.done += len(now.done)
        return True


def _moves_ignored(before: Tree, after: Tree) -> bool:
    """Tells whether an ignored file comes or goes: those are not watched, and a failure over one waits for a retry."""
    moved = before.documents.keys() ^ after.documents.keys()
    return any(path.startswith(f"{folder}/") for path in moved for folder in after.config.ignored)


def _session_of(tree: Tree) -> object:
    """Returns everything that a daemon's session is built on."""
    return tree.config, tree.plugin
