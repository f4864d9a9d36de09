"""Turns what happens in a rendering into its outcome: no exception leaves a renderer, and each names its place."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from jinja2 import TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.exceptions import SecurityError
from msgspec import structs

from kahnd.core.model import Failed, Outcome, Problem, Rendered, Unmet
from kahnd.heap import give_back
from kahnd.ports import PRESSING
from kahnd.render.environment import ProjectLoader
from kahnd.render.files import ProblemError
from kahnd.render.rendering import UnmetError

_OWN_CLASS: Final = re.compile(r"'kahnd\.[\w.]+\.(\w+) object'")
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
_AS_TEXT: Final = "code in a page is a template, too: write {% raw %} before it and {% endraw %} after it"
_DEFINE: Final = "give it a value, or write `| default(...)` after it"


def with_memory(render: Callable[[], Outcome], forget: Callable[[], None]) -> Outcome:
    """The outcome; where memory runs out, of a second try with nothing kept from earlier renderings.

    So it does not depend on what a worker rendered before. Raises MemoryError where it needs too much by itself.
    """
    try:
        return render()
    except MemoryError:
        forget()
        give_back()
    return render()


def attempt(loader: ProjectLoader, produce: Callable[[], Rendered]) -> Outcome:
    """The outcome of a rendering by templates."""
    rendering = loader.rendering
    try:
        return produce()
    except UnmetError as error:
        return Unmet(error.needs, error.problem, rendering.reads)
    except TemplateNotFound as error:
        return _not_found(loader, error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a template can raise whatever its expressions do
        return Failed(_problem(loader, error), rendering.reads)


def _not_found(loader: ProjectLoader, error: TemplateNotFound) -> Outcome:
    reads = loader.rendering.reads
    if loader.missing is None:
        return Failed(_problem(loader, error), reads)
    file, line = innermost(error, loader.loaded) or (loader.rendering.job.document, 0)
    problem = replace(loader.missing.problem, file=file, line=line)
    return Unmet(structs.replace(loader.missing.needs, line=line), problem, reads)


def _problem(loader: ProjectLoader, error: Exception) -> Problem:
    document = loader.rendering.job.document
    if isinstance(error, TemplateSyntaxError):
        file = error.name or document
        remedy = _AS_TEXT if loader.is_code(file, error.lineno) else "correct the template"
        return Problem(error.message or "", file, error.lineno, remedy)
    file, line = innermost(error, loader.loaded) or (document, 0)
    if isinstance(error, ProblemError):
        return _placed(error.problem, file, line)
    if isinstance(error, OSError) and error.errno in PRESSING:
        return Problem(_message(error), document, 0, "see to the machine's space, memory and limits", passing=True)
    if isinstance(error, UnicodeEncodeError):
        remedy = r"look for an escape such as \ud800 in it, and correct that"
        return Problem("its text has half a character", file, line, remedy)
    remedy = _DEFINE if isinstance(error, UndefinedError) else "correct the template"
    return Problem(_message(error), file, line, _AS_TEXT if loader.is_code(file, line) else remedy)


def _placed(problem: Problem, file: str, line: int) -> Problem:
    fits = not problem.line and problem.file in {"", file}
    return replace(problem, file=file, line=line) if fits else problem


def _message(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "goes round without end: it includes or calls itself"
    message = _ADDRESS.sub("", str(error))
    own = isinstance(error, UndefinedError | SecurityError)
    return _OWN_CLASS.sub(r"a \1", message) if own else f"{type(error).__name__}: {message}"


def innermost(error: BaseException, files: Collection[str]) -> tuple[str, int] | None:
    """The file and line, of those given, in which an exception arose deepest."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next(((file, line) for file, line in reversed(frames) if file in files), None)
