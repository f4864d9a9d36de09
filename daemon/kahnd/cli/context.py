"""The project that a command is about, who answers the command, and the options and arguments that commands share.

The daemon answers if one runs, and otherwise this process. Every command imports this: no slow imports here. Completion
of paths reads the file system, one folder at a time: it is always current, takes a millisecond in any project, and
needs no daemon.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import click

from kahnd.api import answers
from kahnd.api.client import ControlClient, OnProgress
from kahnd.core.problem import Problem
from kahnd.core.project_files import CONFIG_FILE, STATE_FOLDER
from kahnd.core.text import is_encodable
from kahnd.errors import AlreadyRunningError, NotListeningError, UsageError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
DRAFTS = "KAHND_PROJECT__DRAFTS"
_NO_WRAP: Final = "\b"
"""Keeps click from wrapping the lines below."""


@dataclass(frozen=True)
class CommandContext:
    """`start` is the absolute folder that paths are relative to: the current one, or that of `-C`."""

    start: Path

    @cached_property
    def root(self) -> Path:
        """The project's folder. Raises UsageError if there is none."""
        return find_root(self.start)

    def targets(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Resolves several paths, without duplicates."""
        return tuple(dict.fromkeys(map(self.target, texts)))

    def target(self, text: str) -> str:
        """Resolves a path relative to the current folder, or else to the project, to a project path.

        An existing path is preferred, then one whose folder exists, then the one relative to the project.
        Raises UsageError if the path leads out of the project, or is not UTF-8: no document has such a name.
        """
        direct = _lexical(self.start.resolve(), text)
        resolved = Path(os.path.realpath(direct.parent)) / direct.name  # `Path.resolve` raises on circular links
        candidates = (direct, resolved, _lexical(self.root, text))
        choices = [path for path in candidates if path.is_relative_to(self.root)]
        if not choices:
            raise UsageError(Problem(f"{text} is outside the project {self.root}"))
        existing = [path for path in choices if os.path.lexists(path)]
        in_existing_folders = [path for path in choices if path.parent.is_dir()]
        return _utf8([*existing, *in_existing_folders, choices[-1]][0].relative_to(self.root).as_posix())


def _lexical(base: Path, text: str) -> Path:
    """Returns the path without `.` and `..`, links not resolved: a document is its own path, not its link's target."""
    return Path(os.path.normpath(base / text))


def _utf8(target: str) -> str:
    if not is_encodable(target):
        raise UsageError(Problem(f"{target} is no UTF-8, and so no document's name", remedy="rename the file"))
    return target


def find_root(start: Path) -> Path:
    """Returns the nearest folder with a `kahnd.toml`, from `start` upwards, absolute and without links.

    Raises UsageError if there is none.
    """
    resolved = start.resolve()
    for folder in (resolved, *resolved.parents):
        if (folder / CONFIG_FILE).is_file():
            _check_is_text(folder)
            return folder
    message = f"there is no {CONFIG_FILE} in {resolved} or any folder above it"
    raise UsageError(Problem(message, remedy="`kahnd init` makes a small project to start from"))


def _check_is_text(root: Path) -> None:
    """Raises UsageError if the root's path is not text, as the database and programs need it."""
    if not is_encodable(str(root)):
        message = f"the path of the project is not UTF-8: {root}"
        raise UsageError(Problem(message, remedy="rename the folder, or move the project"))


class Answerer(Protocol):
    """Answers a command: the daemon (`api.client.ControlClient`) or this process (`app.one_shot.OneShot`)."""

    def status(self) -> answers.Status:
        """Returns how the documents stand."""
        ...

    def plan(self, targets: Sequence[str] = ()) -> answers.Plan:
        """Returns what a build would render."""
        ...

    def graph(self, target: str | None = None, *, reverse: bool = False) -> answers.Graph:
        """Returns nodes and edges."""
        ...

    def why(self, target: str) -> answers.Why:
        """Explains a rendering."""
        ...

    def history(self, document: str | None, limit: int) -> answers.History:
        """Returns past renders."""
        ...

    def timeline(self, build: str) -> answers.Timeline:
        """Returns the renderings of one build."""
        ...

    def build(self, targets: Sequence[str], *, force: bool, progress: OnProgress) -> answers.Report:
        """Brings the targets up to date."""
        ...

    def retry(self, targets: Sequence[str], *, progress: OnProgress) -> answers.Report:
        """Renders failed documents again."""
        ...


def ask(context: CommandContext, operation: Callable[[Answerer], T], *, drafts: bool = False) -> T:
    """Asks the project's daemon, or does the operation in this process if none runs. Raises KahndError.

    `drafts`: in this process in any case, with drafts; a daemon renders them or not, as it was started. Raises
    UsageError if one runs.
    """

    def this_process() -> Answerer:
        from kahnd.app.one_shot import OneShot  # noqa: PLC0415 - the whole engine: only where no daemon runs

        return OneShot(context.root)

    if drafts:
        show_drafts()
        try:
            return operation(this_process())
        except AlreadyRunningError:
            raise UsageError(_DRAFTS_BESIDE_DAEMON) from None
    return ask_daemon_first(ControlClient(context.root), this_process, operation)


_DRAFTS_BESIDE_DAEMON: Final = Problem(
    "a daemon runs for this project, and it renders drafts only if it was started so",
    remedy="leave out --drafts if it was; else stop it and use `kahnd run --drafts`, or write `drafts = true` under"
    f" [project] in {CONFIG_FILE}, which takes effect at once",
)


def show_drafts() -> None:
    """Has this process render drafts, whatever the configuration says."""
    os.environ[DRAFTS] = "true"


def ask_daemon_first(daemon: Answerer, this_process: Callable[[], Answerer], operation: Callable[[Answerer], T]) -> T:
    """Asks the daemon, then this process; the daemon again if it has come up meanwhile and holds the project.

    A daemon that is silent, or of another version, holds the project too: its error is raised at once.
    """
    try:
        return operation(daemon)
    except NotListeningError:
        pass
    try:
        return operation(this_process())
    except AlreadyRunningError as held:
        try:
            return operation(daemon)
        except NotListeningError:
            raise held from None


# Options, arguments and their completion


def json_option(command: F) -> F:
    """Adds `--json`."""
    return click.option("--json", "in_json", is_flag=True, help="Print JSON.")(command)


def form_options(command: F) -> F:
    """Adds `--json` and `--problems`, of which the last one counts: `form` is "json", "problems" or None."""
    words = "Print problems as FILE:LINE:COLUMN: SEVERITY: MESSAGE, for editors."
    as_problems = click.option("--problems", "form", flag_value="problems", help=words)
    return click.option("--json", "form", flag_value="json", help="Print JSON.")(as_problems(command))


def targets_argument(command: F) -> F:
    """Adds `[TARGET]…`."""
    return click.argument("targets", nargs=-1, metavar="[TARGET]...", shell_complete=documents)(command)


def examples(*calls: tuple[str, str]) -> str:
    """Returns the end of a help: example calls, each with its effect."""
    width = max(len(call) for call, _ in calls)
    return "\n".join([_NO_WRAP, "Examples:", *(f"  {call:<{width}}  {what}" for call, what in calls)])


def documents(context: click.Context, _parameter: click.Parameter, typed: str) -> list[str]:
    """Completes a path relative to the current folder, or else to the project."""
    start = Path(context.find_root().params.get("folder") or ".").resolve()
    try:
        root = find_root(start)
    except UsageError:
        return []
    folders = [root / each for each in _folders(root)]
    return next(filter(None, (matching_paths(base, typed, folders) for base in dict.fromkeys((start, root)))), [])


def matching_paths(base: Path, typed: str, folders: list[Path]) -> list[str]:
    """Returns the entries of one folder that begin with the typed text and are in one of `folders`, or lead to one.

    If the only match is a folder, its entries are returned, because shells end a word with a single completion.
    """
    found = sorted(_entries(base, typed, folders))
    while len(found) == 1 and found[0].endswith("/"):
        found = sorted(_entries(base, found[0], folders))
    return found


def _entries(base: Path, typed: str, folders: list[Path]) -> Iterator[str]:
    head, slash, begun = typed.rpartition("/")
    folder = Path(os.path.normpath(base / f"{head}{slash}"))
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        shown = entry.name.startswith(begun) and (begun or not entry.name.startswith("."))
        fit = shown and entry.name.isprintable()  # shells read names line by line
        if fit and entry.name != STATE_FOLDER and _is_relevant(folder / entry.name, folders):
            yield _as_path(f"{head}{slash}{entry.name}{'/' if entry.is_dir() else ''}")


def _as_path(name: str) -> str:
    """Prefixes `./` to a name that looks like an option or a home folder."""
    return f"./{name}" if name.startswith(("-", "~")) else name


def _is_relevant(path: Path, folders: list[Path]) -> bool:
    return any(path.is_relative_to(each) or (each.is_relative_to(path) and path.is_dir()) for each in folders)


def _folders(root: Path) -> list[str]:
    """Returns the source and output folders, or the whole project if kahnd.toml cannot be read."""
    try:
        import tomllib  # noqa: PLC0415 (only completion reads it)

        project = tomllib.loads((root / CONFIG_FILE).read_text(encoding="utf-8-sig"))["project"]
        return [*map(str, project["sources"]), str(project.get("output", "site"))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ["."]
