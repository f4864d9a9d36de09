"""The loop: performs the machine's commands and feeds the results back."""

from kahnd.engine import questions
from kahnd.engine.engine import Answered, Engine, World
from kahnd.engine.patience import Patience
from kahnd.engine.stages import MeteredScanner, Stages
from kahnd.engine.targets import past_renders, resolve
from kahnd.engine.tickets import OnProgress

__all__ = [
    "Answered",
    "Engine",
    "MeteredScanner",
    "OnProgress",
    "Patience",
    "Stages",
    "World",
    "past_renders",
    "questions",
    "resolve",
]
