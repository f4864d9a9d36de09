"""Scenes: one document in each state that it can be in.

*It* depends on the output of `BASE`, the title of `PEER` and the members of `POSTS`; `ABOVE` depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from core.world import PAGE_RULE, RIVAL_RULE, World
from kahnd.core.events import (
    Cancel,
    Command,
    Commit,
    Event,
    Finished,
    Log,
    Propagate,
    Publish,
    Published,
    Recheck,
    Remove,
)
from kahnd.core.model import Change, DocumentId, Observation, Problem, Result, Status
from kahnd.core.rules import Layout

IT, PLAIN, ABOVE, BASE, PEER = "docs/it.md", "docs/it.txt", "docs/above.md", "docs/base.md", "docs/peer.txt"
POSTS, RIVAL, OTHER, BAD = "/docs/posts/*.txt", "docs/it.alt", "docs/other.md", "docs/bad.md"
LISTING, LISTED = "docs/listing.txt", "pages docs/*.txt"
OUTPUT: Final = "site/it.html"
TEXT: Final = f"one\noutput {BASE}\ntitle {PEER}\npages {POSTS[1:]}"
EDITED: Final = f"{TEXT}\ntwo"
CAST: Final = MappingProxyType(
    {BASE: "base", PEER: "peer", "docs/posts/x.txt": "x", OTHER: "other", BAD: "fail", LISTING: LISTED}
)
ITS_RULE: Final = replace(PAGE_RULE, match=IT)
LAYOUT: Final = Layout(("docs",), "site", (ITS_RULE, replace(PAGE_RULE, index=1), RIVAL_RULE))
UNREAD: Final = (None, 0)
TOLD: Final = MappingProxyType(
    {"document.skipped": "skipped", "document.failed": "FAILED", "document.blocked": "BLOCKED"}
)


class Scene(World):
    """A finished project that notes what happens to one document, in a few fixed words."""

    def __init__(self, subject: str, sources: Mapping[str, str], slots: int = 100) -> None:
        self.subject = DocumentId(subject)
        self.words: list[str] = []
        self.stirred = False
        """Anything was decided about it, or undone, since the words were last forgotten."""
        self.unreadable: set[str] = set()
        super().__init__(dict(sources), LAYOUT, slots)
        self.start()
        self.settle()

    def forget_words(self) -> None:
        self.words.clear()
        self.stirred = False

    def edit(self, text: str) -> None:
        self.unreadable.discard(self.subject)
        self.save(self.subject, text)

    def lock(self) -> None:
        """It can't be read any more."""
        self.unreadable.add(self.subject)
        self.look(self.subject)

    def restart(self, layout: Layout = LAYOUT) -> None:
        """Ends the session cleanly and begins another."""
        self.flush()
        self.layout = layout
        self.crash_and_restart()

    def crash_and_restart(self) -> None:
        self.stirred = bool(self.running)
        self.crash()
        self.start()

    def _send(self, event: Event) -> None:
        before = len(self.words)
        its_run = isinstance(event, Finished) and self._is_its(event)
        super()._send(event)
        if its_run and "rendered" not in self.words[before:]:
            self.words.insert(before, "tried")

    def _is_its(self, event: Finished) -> bool:
        job = self.machine._worklist.runs.job(event.run)
        return job is not None and job.document == self.subject

    def _perform(self, command: Command) -> Event | None:
        answer = super()._perform(command)
        word = self._word(command, answer)
        self.words += [word] if word else []
        return answer

    def _word(self, command: Command, answer: Event | None) -> str | None:  # noqa: PLR0911 - a line a command
        match command:
            case Cancel(run) if self._jobs[run].document == self.subject:
                return "cancelled"
            case Publish(run) if self._jobs[run].document == self.subject and isinstance(answer, Published):
                return None if answer.problem else "rendered"
            case Recheck(_, document) if document == self.subject:
                return "looked at"
            case Remove(output, _) if output == OUTPUT:
                return "output removed"
            case Propagate(changes):
                return next((self._of_change(each) for each in changes if each.facts.id == self.subject), None)
            case Commit((Result(facts),)) if facts.id == self.subject:
                return self._of_plain(facts.status)
            case Log(event, fields) if fields.get("document") == self.subject:
                self.stirred = True
                return TOLD.get(event)
        return None

    def _of_change(self, change: Change) -> str | None:
        if change.forget and self.subject not in self.machine.graph:
            return "forgotten"
        return "MISSING" if change.facts.status is Status.MISSING else None

    def _of_plain(self, status: Status) -> str | None:
        settled = self.stirred and status is Status.DONE and not self.machine.graph[self.subject].claim
        return "rehashed" if settled else None

    def _observation(self, document: DocumentId) -> Observation | None:
        if document not in self.unreadable:
            return super()._observation(document)
        if self._seen.get(document) == UNREAD:
            return None
        self._seen[document] = UNREAD
        return Observation(document, problem=Problem("can't be read", document))


class Trait(StrEnum):
    """A condition for an event to happen in a state; its text says what is the case otherwise."""

    ABSENT = "it is there already"
    THERE = "there is no file"
    EDITED = "its bytes are those of its last render"
    RULED = "no rule fits it"
    PLAIN = "a rule fits it, or there is no file"
    PLACED = "nothing lies where it renders to"
    MADE = "kahnd made no output for it"
    NEEDS = "it needs nothing"
    MET = "what it needs is missing already"
    LISTS = "it has to do with no collection"
    UNTIED = "it is on a cycle"
    SOLE = "its output is contested already"
    RIVALLED = "its output is not contested"
    NEEDED = "nothing needs it"


T = Trait
FILE: Final = frozenset({T.THERE, T.NEEDS, T.MET, T.LISTS, T.UNTIED, T.SOLE, T.NEEDED})
PAGE: Final = FILE | {T.RULED, T.PLACED, T.MADE}


@dataclass(frozen=True)
class State:
    """A state of a document, the scene that brings it there, and the state's traits."""

    name: str
    scene: Callable[[], Scene]
    traits: frozenset[Trait] = PAGE


def _rest(slots: int = 100) -> Scene:
    return Scene(IT, {**CAST, IT: TEXT, ABOVE: f"output {IT}"}, slots)


def _not_there() -> Scene:
    return Scene(IT, {**CAST, ABOVE: f"output {IT}"})


def edited(text: str = EDITED) -> Scene:
    """It was saved, and is being rendered."""
    scene = _rest()
    scene.edit(text)
    return scene


def _ready() -> Scene:
    scene = _rest(slots=1)
    scene.save(OTHER, "keeps the only worker busy")
    scene.edit(EDITED)
    return scene


def _published() -> Scene:
    scene = edited()
    scene.finish(IT)
    return scene


def _plain() -> Scene:
    return Scene(PLAIN, {**CAST, PLAIN: TEXT, ABOVE: f"include {PLAIN}"})


def _collection() -> Scene:
    return Scene(POSTS, {**CAST, ABOVE: f"pages {POSTS[1:]}"})


def _unreadable() -> Scene:
    scene = _rest()
    scene.lock()
    scene.settle()
    return scene


def _obstructed() -> Scene:
    scene = _not_there()
    scene.outputs.write(OUTPUT, "somebody else's")
    scene.in_the_way.add(OUTPUT)
    scene.edit(TEXT)
    scene.settle()
    return scene


def _saved(path: str, text: str) -> Scene:
    scene = _rest()
    scene.save(path, text)
    return scene


def _came_to(path: str, text: str) -> Scene:
    scene = _saved(path, text)
    scene.settle()
    return scene


def _without(path: str) -> Scene:
    scene = _rest()
    scene.remove(path)
    scene.settle()
    return scene


STATES: Final = (
    State("not known", lambda: Scene(IT, CAST), frozenset({T.ABSENT})),
    State("MISSING", _not_there, frozenset({T.ABSENT, T.NEEDED})),
    State("DONE", _rest),
    State("DONE, not committed yet", _published),
    State("DONE, plain", _plain, FILE | {T.PLAIN}),
    State("DONE, a collection", _collection, frozenset({T.LISTS, T.NEEDED})),
    State("DIRTY, waiting", lambda: _saved(BASE, "in work")),
    State("DIRTY, ready", _ready, PAGE | {T.EDITED}),
    State("being rendered", edited, PAGE | {T.EDITED}),
    State("FAILED", lambda: _came_to(IT, f"{TEXT}\nfail"), PAGE | {T.EDITED}),
    State("FAILED, unreadable", _unreadable, PAGE | {T.EDITED}),
    State("FAILED, place taken", _obstructed, PAGE - {T.MADE}),
    State("FAILED, contested", lambda: _came_to(RIVAL, "rival"), PAGE - {T.SOLE} | {T.RIVALLED}),
    State("FAILED on a cycle", lambda: _came_to(BASE, f"needs {IT}"), PAGE - {T.UNTIED}),
    State("BLOCKED by a failed one", lambda: _came_to(BASE, "fail")),
    State("BLOCKED by a missing one", lambda: _without(BASE), PAGE - {T.MET}),
)
