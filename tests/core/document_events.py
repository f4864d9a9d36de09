"""Events that can happen to a document, by kind; and the ways in which its rendering can end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from core.scenes import (
    ABOVE,
    BAD,
    BASE,
    CAST,
    EDITED,
    IT,
    ITS_RULE,
    LAYOUT,
    LISTING,
    OTHER,
    OUTPUT,
    PEER,
    PLAIN,
    RIVAL,
    TEXT,
    Scene,
    State,
    Trait,
    edited,
)
from kahnd.core.hashing import hash_fields
from kahnd.core.render_loops import RETRIES
from kahnd.core.rules import Rule

Action = Callable[[Scene], object]
T = Trait


@dataclass(frozen=True)
class DocumentEvent:
    """An event that can happen to a document in states with these traits."""

    name: str
    action: Action
    needs: frozenset[Trait] = frozenset()

    def obstacle(self, state: State) -> Trait | None:
        """Returns the trait for lack of which the event can't happen in a state; None if it can."""
        return next((each for each in Trait if each in self.needs - state.traits), None)


@dataclass(frozen=True)
class Kind:
    """Events of one kind."""

    title: str
    events: tuple[DocumentEvent, ...]


@dataclass(frozen=True)
class End:
    """An end of a run: the text of the document that is rendered, and the action meanwhile."""

    name: str
    text: str
    action: Action


def _event(name: str, action: Action, *needs: Trait) -> DocumentEvent:
    return DocumentEvent(name, action, frozenset(needs))


def _touched(scene: Scene) -> None:
    scene.save(scene.subject, scene.sources.texts[scene.subject])


def _gone(scene: Scene) -> None:
    scene.unreadable.clear()
    scene.remove(scene.subject)


def _gone_unneeded(scene: Scene) -> None:
    scene.unreadable.clear()
    scene.delete(scene.subject)
    scene.write(ABOVE, "needs it no more")
    scene.look(scene.subject, ABOVE)


def _base(text: str) -> Action:
    return lambda scene: scene.save(BASE, text)


def _output_gone(scene: Scene) -> None:
    scene.in_the_way.clear()
    scene.made.discard(OUTPUT)
    scene.lose_output(OUTPUT)


def _under(rule: Rule, *others: Rule) -> Action:
    """A new start with another rule for it (and other next rules)."""
    layout = replace(LAYOUT, rules=(rule, *others, *LAYOUT.rules[1 + len(others) :]))
    return lambda scene: scene.restart(layout)


def _unseen(path: str, text: str) -> Action:
    """A file changes between the last look at it and the reading."""

    def action(scene: Scene) -> None:
        scene.write(path, text)
        scene.finish(IT)

    return action


def _restless(scene: Scene) -> None:
    seen = scene.sources.texts[PEER]
    for number in range(RETRIES + 1):
        scene.write(PEER, f"read {number}")
        scene.finish(IT)
        scene.write(PEER, seen)
        scene.settle_rechecks()


def _unfinished(scene: Scene) -> None:
    scene.save(OTHER, "in work")
    scene.finish(IT)


def _obstructed(scene: Scene) -> None:
    scene.in_the_way.add(OUTPUT)
    scene.finish(IT)


def _late(scene: Scene) -> None:
    scene.compute(IT)
    scene.edit(f"{TEXT}\nthree")
    scene.deliver_late()


KINDS: Final = (
    Kind(
        "Its file",
        (
            _event("appears", lambda scene: scene.edit(TEXT), T.ABSENT),
            _event("gets other bytes", lambda scene: scene.edit(f"{TEXT}\nthree"), T.THERE),
            _event("is touched", _touched, T.THERE),
            _event("gets the bytes last rendered", lambda scene: scene.edit(TEXT), T.THERE, T.EDITED),
            _event("goes", _gone, T.THERE),
            _event("goes, needed no more", _gone_unneeded, T.THERE, T.UNTIED),
            _event("can't be read", Scene.lock, T.THERE),
        ),
    ),
    Kind(
        "What it needs",
        (
            _event("has another output", _base("another"), T.NEEDS),
            _event("has the same output", _base("base "), T.NEEDS),
            _event("fails", _base("fail\nanew"), T.NEEDS),
            _event("goes", lambda scene: scene.remove(BASE), T.NEEDS, T.MET),
            _event("needs it", lambda scene: scene.save(BASE, f"needs {scene.subject}"), T.NEEDS, T.UNTIED),
        ),
    ),
    Kind(
        "What it names by `page()` or `pages()`",
        (
            _event("changes in what it uses", lambda scene: scene.save(PEER, "new"), T.NEEDS),
            _event("changes in the rest", lambda scene: scene.save(PEER, f"{CAST[PEER]}\nnew"), T.NEEDS),
            _event("has a new member", lambda scene: scene.save("docs/posts/y.txt", "y"), T.LISTS),
        ),
    ),
    Kind(
        "Its output, and others",
        (
            _event("its output is deleted", _output_gone, T.RULED, T.PLACED),
            _event("is altered", lambda scene: scene.alter_output(OUTPUT, "spoilt"), T.RULED, T.MADE),
            _event("another claims it", lambda scene: scene.save(RIVAL, "rival"), T.RULED, T.SOLE),
            _event("that one goes", lambda scene: scene.remove(RIVAL), T.RULED, T.RIVALLED),
            _event("needed no more", lambda scene: scene.save(ABOVE, "alone"), T.NEEDED),
        ),
    ),
    Kind(
        "A new start",
        (
            _event("after a stop", Scene.restart),
            _event("after a crash", Scene.crash_and_restart),
            _event("another recipe", _under(replace(ITS_RULE, recipe=hash_fields(["another"]))), T.RULED),
            _event("another output path", _under(replace(ITS_RULE, output="new/{stem}.html")), T.RULED),
            _event(
                "no rule fits it",
                _under(replace(ITS_RULE, match="none"), replace(LAYOUT.rules[1], match="docs/*[!t].md")),
                T.RULED,
            ),
            _event("a rule fits it", _under(replace(ITS_RULE, match=PLAIN)), T.PLAIN),
        ),
    ),
    Kind(
        "A question",
        (
            _event("`wait`", Scene.ask),
            _event("`build`, `retry`", lambda scene: scene.ask(retry=True)),
            _event("`build --force`", lambda scene: scene.ask(force=True)),
        ),
    ),
)
ENDS: Final = (
    End("ends well", EDITED, lambda scene: scene.finish(IT)),
    End("fails", f"{TEXT}\nfail", lambda scene: scene.finish(IT)),
    End("has read something unfinished", f"{TEXT}\nfind-output {OTHER}", _unfinished),
    End("has read something failed", f"{TEXT}\nfind-output {BAD}", lambda scene: scene.finish(IT)),
    End("needs something missing", f"{TEXT}\nfind docs/none.txt", lambda scene: scene.finish(IT)),
    End("needs itself", f"{TEXT}\nfind-output {IT}", lambda scene: scene.finish(IT)),
    End("asks for a collection not known before", f"{TEXT}\nfind {LISTING}", lambda scene: scene.finish(IT)),
    End("has read other bytes than the graph knows", EDITED, _unseen(PEER, "unseen")),
    End("has found its own bytes changed", EDITED, _unseen(IT, f"{TEXT}\nunseen")),
    End("reads other bytes every time", EDITED, _restless),
    End("finds a foreign file in its output's place", EDITED, _obstructed),
    End("was cancelled, and its end is heard of all the same", EDITED, _late),
)


def running(end: End) -> Scene:
    """Returns a scene in which the run is under way."""
    return edited(end.text)
