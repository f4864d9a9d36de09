"""Finds the documents to render because somebody asks for them, although nothing has changed."""

from __future__ import annotations

from kahnd.core.forced import Forced
from kahnd.core.graph import Graph
from kahnd.core.intake import Noticed
from kahnd.core.messages import Asked
from kahnd.core.model import Status
from kahnd.core.rounds import Rounds
from kahnd.core.why import FAILED_BEFORE, FORCED


def demanded(graph: Graph, asked: Asked, forced: Forced, rounds: Rounds) -> Noticed:
    """Documents to be decided on again: all of them by force, and failed ones where they are to be tried again."""
    noticed = Noticed()
    concerned = [node for node in graph if not asked.targets or node.facts.id in asked.targets]
    if asked.force:
        claiming = [node for node in concerned if node.claim]
        forced.ask(claiming)
        noticed.again(claiming, FORCED)
    if asked.retry:
        failed = [node for node in concerned if node.status is Status.FAILED]
        for node in failed:
            rounds.forgive(node.facts.id)
        noticed.again(failed, FAILED_BEFORE)
    return noticed
