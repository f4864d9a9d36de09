"""One browser's tabs, and the changes that it has still to hear of. Pure: no socket, no clock, no graph.

There is at most one thing to tell about each path, and only about paths that the browser's tabs have named. So what
waits for a slow browser is bounded, and still true when it is sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from kahnd.web.messages import Changed, Known, Show, kind_of

MAX_PATHS: Final = 2_000
"""The paths that a browser may name; what its tabs use beyond that is not followed."""
MAX_TABS: Final = 1_000
"""The tabs of a browser that are followed."""

Lookup = Callable[[str], str | None]
"""Returns the hash of what is published at a path now; None: nothing is."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab: its page, all paths that it has named, and whether somebody looks at it."""

    page: str
    paths: frozenset[str]
    visible: bool


@dataclass(frozen=True, slots=True)
class Told:
    """News for a browser: changes and hashes, and the problems of the `judged` pages, of the `asked` ones again."""

    messages: tuple[Changed | Known, ...]
    judged: tuple[str, ...]
    asked: frozenset[str]

    @property
    def changes(self) -> dict[str, str | None]:
        """The new hashes by path."""
        return {each.path: each.hash for each in self.messages if isinstance(each, Changed)}


class Subscription:
    """One browser: its tabs, and what they have still to be told."""

    def __init__(self) -> None:
        self._tabs: dict[str, Tab] = {}
        self._uses: Counter[str] = Counter()
        self._believed: dict[str, set[str | None]] = {}
        self._changed: dict[str, str | None] = {}
        self._known: dict[str, str] = {}
        self._judged: dict[str, bool] = {}
        self._is_due = False

    @property
    def paths(self) -> set[str]:
        """All paths that its tabs have named."""
        return set(self._believed)

    @property
    def looked_at(self) -> frozenset[str]:
        """The pages of tabs that are in view."""
        return frozenset(tab.page for tab in self._tabs.values() if tab.visible)

    @property
    def is_due(self) -> bool:
        """Tells whether there may be something to tell."""
        return self._is_due or bool(self._changed or self._known or self._judged)

    def show(self, show: Show, lookup: Lookup | None, is_recent: Callable[[str], bool]) -> None:
        """Notes what a tab shows, and compares it with what is published; without `lookup`, that is not known now.

        An asset of unknown hash is taken to be what is published, unless it `is_recent`: it may have changed while the
        page was loading, so the tab is told to look.
        """
        before = self._tabs.get(show.tab)
        self.gone(show.tab)
        if len(self._tabs) >= MAX_TABS:
            return
        room = MAX_PATHS - len(self._believed)
        assets = dict(islice(show.assets.items(), max(room - 1, 0)))
        tab = Tab(show.path, frozenset({show.path, *assets}), show.visible)
        self._tabs[show.tab] = tab
        self._uses.update(tab.paths)
        if before is None or before.page != tab.page:
            self._judged[tab.page] = True
        for path, digest in (*assets.items(), (show.path, show.hash)):
            believed = self._believed.setdefault(path, set())
            if path == show.path or digest or lookup is None:
                believed.add(digest)
            elif (now := lookup(path)) and not is_recent(path):
                self._known[path] = now
                believed.add(now)
            else:
                believed.add(None)
            if lookup:
                self.compare(path, lookup(path))

    def gone(self, name: str) -> None:
        """Forgets a tab, and what only that tab was to be told."""
        tab = self._tabs.pop(name, None)
        for path in tab.paths if tab else ():
            self._uses[path] -= 1
            if not self._uses[path]:
                for each in (self._uses, self._believed, self._changed, self._known, self._judged):
                    each.pop(path, None)

    def compare(self, path: str, digest: str | None) -> None:
        """Notes what is published at a path: whoever shows something else is to be told."""
        believed = self._believed.get(path)
        if believed and believed != {digest}:
            believed.clear()
            believed.add(digest)
            self._changed[path] = digest

    def judge(self, path: str) -> None:
        """Notes that something else may be wrong now with a page, or nothing any more."""
        if path in self._believed:
            self._judged.setdefault(path, False)

    def ask(self, path: str) -> None:
        """Notes that a tab does not know what is wrong with a page, even if the browser was told."""
        if path in self._believed:
            self._judged[path] = True

    def count(self) -> None:
        """Notes that the number of broken documents may be another one."""
        self._is_due = True

    def take(self) -> Told:
        """Returns what is to be told; then nothing waits."""
        changed = [Changed(path, digest, kind_of(path)) for path, digest in self._changed.items()]
        known = [Known(dict(self._known))] if self._known else []
        pages = {tab.page for tab in self._tabs.values()}
        judged = {path: asked for path, asked in self._judged.items() if path in pages}
        told = Told((*changed, *known), tuple(judged), frozenset(path for path, asked in judged.items() if asked))
        self._changed.clear()
        self._known.clear()
        self._judged.clear()
        self._is_due = False
        return told
