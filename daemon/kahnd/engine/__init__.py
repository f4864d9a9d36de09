"""The loop: performs the machine's commands and feeds the results back."""

from kahnd.engine import questions
from kahnd.engine.engine import Answered, Engine, OnProgress, World
from kahnd.engine.patience import Patience
from kahnd.engine.targets import past_renders, resolve

__all__ = ["Answered", "Engine", "OnProgress", "Patience", "World", "past_renders", "questions", "resolve"]
