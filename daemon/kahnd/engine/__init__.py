"""The loop: performs the machine's commands and feeds the results back."""

from kahnd.engine import questions
from kahnd.engine.answers import Answered, AtHand
from kahnd.engine.engine import Engine
from kahnd.engine.patience import Patience
from kahnd.engine.pulse import Pulse, Waits
from kahnd.engine.stages import MeteredScanner, Stages
from kahnd.engine.targets import past_renders, resolve
from kahnd.engine.tickets import OnProgress
from kahnd.engine.world import World

__all__ = [
    "Answered",
    "AtHand",
    "Engine",
    "MeteredScanner",
    "OnProgress",
    "Patience",
    "Pulse",
    "Stages",
    "Waits",
    "World",
    "past_renders",
    "questions",
    "resolve",
]
