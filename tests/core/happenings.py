"""What can happen to a document, by kinds; and how its rendering can end."""

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
from kahnd.core.digest import of_fields
from kahnd.core.rules import Rule
from kahnd.core.tries import TRIES

Happen = Callable[[Scene], object]
T = Trait


@dataclass(frozen=True)
class Happening:
    """Something that can happen to a document, where these traits are given."""

    name: str
    happen: Happen
    needs: frozenset[Trait] = frozenset()

    def obstacle(self, state: State) -> Trait | None:
        """Why it can't happen in a state, if so."""
        return next((each for each in Trait if each in self.needs - state.traits), None)


@dataclass(frozen=True)
class Kind:
    """Happenings of one kind."""

    title: str
    happenings: tuple[Happening, ...]


@dataclass(frozen=True)
class End:
    """How a run can end: what is written in the document that is rendered, and what happens meanwhile."""

    name: str
    text: str
    happen: Happen


def _happening(name: str, happen: Happen, *needs: Trait) -> Happening:
    return Happening(name, happen, frozenset(needs))


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


def _base(text: str) -> Happen:
    return lambda scene: scene.save(BASE, text)


def _output_gone(scene: Scene) -> None:
    scene.in_the_way.clear()
    scene.made.discard(OUTPUT)
    scene.lose_output(OUTPUT)


def _under(rule: Rule, *others: Rule) -> Happen:
    """A new start, where its rule (and some of the next ones) are others."""
    layout = replace(LAYOUT, rules=(rule, *others, *LAYOUT.rules[1 + len(others) :]))
    return lambda scene: scene.restart(layout)


def _unseen(path: str, text: str) -> Happen:
    """A file is another when it is read than when it was last looked at."""

    def happen(scene: Scene) -> None:
        scene.write(path, text)
        scene.finish(IT)

    return happen


def _restless(scene: Scene) -> None:
    seen = scene.sources.texts[PEER]
    for number in range(TRIES + 1):
        scene.write(PEER, f"read {number}")
        scene.finish(IT)
        scene.write(PEER, seen)
        scene.settle_looks()


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
            _happening("appears", lambda scene: scene.edit(TEXT), T.ABSENT),
            _happening("gets other bytes", lambda scene: scene.edit(f"{TEXT}\nthree"), T.THERE),
            _happening("is touched", _touched, T.THERE),
            _happening("gets the bytes last rendered", lambda scene: scene.edit(TEXT), T.THERE, T.EDITED),
            _happening("goes", _gone, T.THERE),
            _happening("goes, needed no more", _gone_unneeded, T.THERE, T.UNTIED),
            _happening("can't be read", Scene.lock, T.THERE),
        ),
    ),
    Kind(
        "What it needs",
        (
            _happening("has another output", _base("another"), T.NEEDS),
            _happening("has the same output", _base("base "), T.NEEDS),
            _happening("fails", _base("fail\nanew"), T.NEEDS),
            _happening("goes", lambda scene: scene.remove(BASE), T.NEEDS, T.MET),
            _happening("needs it", lambda scene: scene.save(BASE, f"needs {scene.subject}"), T.NEEDS, T.UNTIED),
        ),
    ),
    Kind(
        "What it names by `page()` or `pages()`",
        (
            _happening("changes in what it uses", lambda scene: scene.save(PEER, "new"), T.NEEDS),
            _happening("changes in the rest", lambda scene: scene.save(PEER, f"{CAST[PEER]}\nnew"), T.NEEDS),
            _happening("has a new member", lambda scene: scene.save("docs/posts/y.txt", "y"), T.LISTS),
        ),
    ),
    Kind(
        "Its output, and others",
        (
            _happening("its output is deleted", _output_gone, T.RULED, T.PLACED),
            _happening("is altered", lambda scene: scene.alter_output(OUTPUT, "spoilt"), T.RULED, T.MADE),
            _happening("another claims it", lambda scene: scene.save(RIVAL, "rival"), T.RULED, T.SOLE),
            _happening("that one goes", lambda scene: scene.remove(RIVAL), T.RULED, T.RIVALLED),
            _happening("needed no more", lambda scene: scene.save(ABOVE, "alone"), T.NEEDED),
        ),
    ),
    Kind(
        "A new start",
        (
            _happening("after a stop", Scene.restart),
            _happening("after a crash", Scene.crash_and_restart),
            _happening("another recipe", _under(replace(ITS_RULE, recipe=of_fields(["another"]))), T.RULED),
            _happening("another output path", _under(replace(ITS_RULE, output="new/{stem}.html")), T.RULED),
            _happening(
                "no rule fits it",
                _under(replace(ITS_RULE, match="none"), replace(LAYOUT.rules[1], match="docs/*[!t].md")),
                T.RULED,
            ),
            _happening("a rule fits it", _under(replace(ITS_RULE, match=PLAIN)), T.PLAIN),
        ),
    ),
    Kind(
        "A question",
        (
            _happening("`wait`", Scene.ask),
            _happening("`build`, `retry`", lambda scene: scene.ask(retry=True)),
            _happening("`build --force`", lambda scene: scene.ask(force=True)),
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
    """The run that is to end so."""
    return edited(end.text)
