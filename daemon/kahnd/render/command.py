"""The `command` renderer: a program of the user's makes the output.

It runs in the worker's process group, so that what cancels the worker ends it, too.
"""

from __future__ import annotations

import errno
import os
import posixpath
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kahnd.core.model import Dependency, DocumentId, Failed, Job, Kind, Outcome, Problem, Rendered, Scan, Unmet
from kahnd.core.rules import Layout, resolve
from kahnd.ports import PRESSING
from kahnd.render import scripts
from kahnd.render.chapters import Chapters
from kahnd.render.depfile import dependencies, unread
from kahnd.render.files import ProblemError, clear, digest_of, is_regular
from kahnd.render.listed import listed
from kahnd.render.parameters import PLACEHOLDER, CommandParameters
from kahnd.render.process import execute
from kahnd.render.rendering import Rendering, UnmetError, joined_warning
from kahnd.render.scan_expressions import find
from kahnd.render.still import Still

_NOT_FOUND: Final = 127
_SHELL: Final = "/bin/sh"
_SHOWN: Final = 60
MAX_DEPFILE: Final = 16 * 1024 * 1024


class NotInstalledError(Exception):
    """There is no such program."""


class CommandRenderer:
    """Keeps the environment that programs get, and what it found in files that documents refer to."""

    name = "command"
    version = "3"
    judges_missing = False
    parameters = CommandParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self._chapters = Chapters()
        self._environment = dict(os.environ)  # a copy: os.environ itself is decoded anew whenever it is read

    def fingerprint(self, parameters: CommandParameters) -> str:
        """The project's scripts that it runs; and whether the fallback is used, until the program is installed."""
        stands_in = parameters.fallback and not _is_installed(self._root, parameters)
        return f"{scripts.fingerprint(parameters, self._root)}{' fallback' if stands_in else ''}"

    def scan(self, document: DocumentId, content: bytes, parameters: CommandParameters) -> Scan:
        """What the rule's expressions find, of one kind: what has a rule of its own may have none tomorrow."""
        found = find(parameters.scan, content.decode(errors="replace"), document)
        placed = ((self._target(document, path), line) for line, path in found)
        return Scan(tuple(dict.fromkeys(Dependency(each, Kind.DECLARED, line) for each, line in placed if each)))

    def _target(self, document: DocumentId, path: str) -> DocumentId | None:
        """What a path in a document means: another document, or an output, which others render to."""
        target = resolve(path, document)
        if target is None:
            return None
        at_top = resolve(f"/{path}", document)  # outputs are mostly named as the program finds them
        if at_top and self._layout.is_output(at_top):
            return DocumentId(at_top)
        followed = self._layout.is_output(target) or self._layout.source_of(target) is not None
        return DocumentId(target) if followed else None

    def render(self, job: Job, parameters: CommandParameters) -> Outcome:
        """Run the command, or use the fallback where there is one and the program is not installed."""
        rendering = Rendering(self._root, self._layout, job)
        try:
            return self._produce(rendering, parameters)
        except UnmetError as error:
            return Unmet(error.needs, error.problem, rendering.reads)
        except ProblemError as error:
            return Failed(error.problem, rendering.reads)

    def _produce(self, rendering: Rendering, parameters: CommandParameters) -> Rendered:
        run = Run(rendering, parameters, self._environment)
        more, too_many = self._chapters.follow(rendering, parameters.scan) if parameters.scan else ((), None)
        still = Still(rendering, more)
        try:
            run.execute()
            run.check_depfile()
        except NotInstalledError:
            return self._without_program(rendering, parameters)
        except ProblemError:
            still.check()  # a failure over what is no more is none
            raise
        finally:
            read = run.note_discovered()  # of one that failed, too: it may be mended by what it reads
        still.check(read.files)
        warnings = (*([too_many] if too_many else []), *read.warnings)
        return Rendered(digest_of(run.stage), rendering.reads, joined_warning(warnings))

    def _without_program(self, rendering: Rendering, parameters: CommandParameters) -> Rendered:
        place = rendering.rule_place
        program, document = parameters.words[0], rendering.job.document
        if not parameters.fallback:
            message = f"{document} needs the program {program!r}, which is not installed"
            raise ProblemError(Problem(message, place.file, place.line, "install it, or correct the rule's `command`"))
        fallback = rendering.locate("/" + parameters.fallback, place)
        content, _ = rendering.read(Dependency(fallback, Kind.INCLUDE, place.line), place)
        warning = Problem(f"the program {program!r} is not installed: {fallback} stands in", document, 0, "install it")
        return rendering.finish(content, warning)


@dataclass(frozen=True)
class Run:
    """One run of a command."""

    rendering: Rendering
    parameters: CommandParameters
    environment: Mapping[str, str]

    @property
    def stage(self) -> str:
        """Where the output is to be."""
        return f"{self.rendering.root}/{self.rendering.job.stage}"

    @property
    def depfile(self) -> str:
        """Where the command is to list what it read, if asked to."""
        return self.rendering.job.stage + ".d"

    def argv(self) -> list[str]:
        """The program and its arguments."""
        values = self._values()
        if self.parameters.shell:
            line = _fill(self.parameters.words[0], lambda name: " ".join(map(shlex.quote, values[name])))
            return [_SHELL, "-c", line]
        return [argument for word in self.parameters.words for argument in _arguments(word, values)]

    def _values(self) -> dict[str, tuple[str, ...]]:
        job = self.rendering.job
        folder, name = posixpath.split(job.document)
        return {
            "source": (_operand(job.document),),
            "output": (job.stage,),
            "deps": tuple(map(_operand, self._given())),
            "dir": (_operand(folder or "."),),
            "stem": (posixpath.splitext(name)[0],),
            "root": (str(self.rendering.root),),
            "depfile": (self.depfile,),
        }

    def _given(self) -> Iterator[str]:
        """The files that the document's own text tells of: of others, a fresh build does not know yet."""
        job = self.rendering.job
        told = frozenset(job.discovered)
        return (path for path, target in zip(job.deps, job.targets, strict=True) if target not in told)

    def execute(self) -> None:
        """Run it to its end. Raises NotInstalledError; and ProblemError where it fails, or writes no output."""
        try:
            clear(self.stage)
            code, said = self._run()
        except OSError as error:
            if not _is_installed(self.rendering.root, self.parameters):
                raise NotInstalledError from error
            reason = error.strerror or str(error)
            message, passing = f"{self._program} can't be run: {reason}", error.errno in PRESSING - {errno.EACCES}
            raise self._failure(message, "correct the rule's `command`", passing=passing) from error
        if code:
            raise self._failure(_exit_message(self._program, code), _exit_remedy(code), said)
        if not is_regular(self.stage):
            remedy = "write the file that `{output}` names, or set `stdout = true` in the rule"
            raise self._failure(f"{self._program} ended well but wrote no output", remedy, said)

    def _run(self) -> tuple[int, str]:
        os.chdir(self.rendering.root)  # where workers are, unless a plug-in has gone elsewhere
        stdout = open(self.stage, "wb") if self.parameters.stdout else nullcontext()  # noqa: PTH123, SIM115
        with stdout as output:
            return execute(self.argv(), output.fileno() if output else None, self.environment)

    @property
    def _program(self) -> str:
        return "the shell's command" if self.parameters.shell else self.parameters.words[0]

    def _failure(self, message: str, remedy: str, detail: str = "", *, passing: bool = False) -> ProblemError:
        return ProblemError(Problem(message, self.rendering.job.document, 0, remedy, detail, passing))

    def check_depfile(self) -> None:
        """Raise ProblemError where the list of what was read is not there, though the rule asks for it."""
        if self.parameters.writes_depfile and not (self.rendering.root / self.depfile).is_file():
            message = f"{self._program} did not write its list of dependencies"
            raise self._failure(message, "write the file that `{depfile}` names, or leave it out")

    def note_discovered(self) -> Discovered:
        """Put the documents in the list of what was read, if there is one, into the account; the list is used up."""
        depfile = self.rendering.root / self.depfile
        if not self.parameters.writes_depfile or not is_regular(depfile):
            return Discovered()
        document = self.rendering.job.document
        with depfile.open("rb") as file:
            text = file.read(MAX_DEPFILE + 1).decode(errors="replace")
        depfile.unlink()
        found = listed(dependencies(text), self.rendering)
        found.note(self.rendering)
        warnings = [*found.warnings(document), *self._syntax(text)]
        return Discovered(tuple(found.files), tuple(warnings))

    def _syntax(self, text: str) -> Iterator[Problem]:
        document = self.rendering.job.document
        if len(text) > MAX_DEPFILE:
            message = f"the list of dependencies that {self._program} wrote is larger than {MAX_DEPFILE >> 20} MiB"
            yield Problem(f"{message}: its end is left out", document, remedy="list less")
        elif line := unread(text):
            message = f"{line[:_SHOWN]!r} in the list that {self._program} wrote is no rule of a Makefile"
            yield Problem(message, document, remedy="write `target: path…`, with a blank after the colon")


@dataclass(frozen=True)
class Discovered:
    """What a program told of: `files` that no earlier run did, and what of its list can't be used."""

    files: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()


def _is_installed(root: Path, parameters: CommandParameters) -> bool:
    program = _SHELL if parameters.shell else parameters.words[0]
    return shutil.which(root / program if "/" in program else program) is not None


def _operand(path: str) -> str:
    """The path as no program takes it for an option."""
    return f"./{path}" if path.startswith("-") else path


def _arguments(word: str, values: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """One word of the rule's command as arguments: `{deps}` alone is as many as there are."""
    return values["deps"] if word == "{deps}" else (_fill(word, lambda name: " ".join(values[name])),)


def _fill(word: str, value: Callable[[str], str]) -> str:
    return PLACEHOLDER.sub(lambda match: value(match[1]), word)


def _exit_message(program: str, code: int) -> str:
    return f"{program} was ended by signal {-code}" if code < 0 else f"{program} failed with exit code {code}"


def _exit_remedy(code: int) -> str:
    return "a program in it was not found: install it" if code == _NOT_FOUND else "see what it said"
