"""The `command` renderer: a program of the user's makes the output.

It runs in the worker's process group, so that what cancels the worker ends it, too.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
import resource
import shlex
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kahnd.core.model import Dependency, Digest, DocumentId, Failed, Job, Kind, Outcome, Problem, Rendered, Scan, Unmet
from kahnd.core.rules import Layout, resolve
from kahnd.ports import PRESSING
from kahnd.render import programs, scripts
from kahnd.render.cache import Cache
from kahnd.render.chapters import Chapters
from kahnd.render.depfile import dependencies, unread
from kahnd.render.files import ProblemError, clear, digest_of, is_regular, make_own, read_regular, remedy_for, size_of
from kahnd.render.listed import listed, stray
from kahnd.render.parameters import CommandParameters
from kahnd.render.process import Ended, execute
from kahnd.render.programs import Fault
from kahnd.render.rendering import Rendering, UnmetError, joined_warning
from kahnd.render.scan_expressions import find
from kahnd.render.shell import PLACEHOLDER, begins_word
from kahnd.render.still import Still

_NOT_FOUND: Final = 127
_NOT_STARTED: Final = frozenset({126, _NOT_FOUND})
"""How shells and `env` end where the program that they are to run can't start."""
_CUT_OFF: Final = frozenset({-signal.SIGXFSZ, 128 + signal.SIGXFSZ})
"""How a program ends that writes more than it may, and how a shell does that ran it."""
_ALLOW_MORE: Final = "let it write less, or allow more with output_mb in [pool]"
_ACTS: Final = re.compile(r"[-@+~]|[^/]*[=:]")
_SHELL: Final = "/bin/sh"
_UNPLACED: Final = 512
"""About how many bytes the paths take that one document's `scan` finds and nothing follows: mostly there are none."""
_SHOWN: Final = 5
"""So many processes are named."""
_LINE_SHOWN: Final = 60
MAX_DEPFILE: Final = 16 * 1024 * 1024


class CannotStartError(Exception):
    """The program can't start, for a reason of its own."""

    def __init__(self, program: str, fault: Fault) -> None:
        super().__init__(f"{program} {fault.reason}")
        self.program = program
        self.fault = fault


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
        self._unplaced: Cache[tuple[DocumentId, Digest, tuple[str, ...]], tuple[str, ...]] = Cache(10_000, 8 << 20)
        self._environment = dict(os.environ)  # a copy: os.environ itself is decoded anew whenever it is read

    def fingerprint(self, parameters: CommandParameters) -> str:
        """The project's scripts that it runs, and whether the program can't start: it is tried again once it can."""
        return f"{scripts.fingerprint(parameters, self._root)}{self._absence(parameters)}"

    def _absence(self, parameters: CommandParameters) -> str:
        program = parameters.words[0]
        if parameters.shell or PLACEHOLDER.search(program) or not programs.fault(program, self._root):
            return ""
        return " fallback" if parameters.fallback else " absent"

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
        """Run the command, or use the fallback where there is one and the program can't start."""
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
            warning = run.execute()
            run.check_depfile()
        except CannotStartError as error:
            return self._without_program(rendering, parameters, error)
        except ProblemError:
            still.check()  # a failure over what is no more is none
            raise
        finally:
            read = run.note_discovered()  # of one that failed, too: it may be mended by what it reads
        still.check(read.files)
        warnings = (too_many, *self._strays(rendering, parameters), *read.warnings, warning)
        return Rendered(digest_of(run.stage), rendering.reads, joined_warning(*warnings))

    def _strays(self, rendering: Rendering, parameters: CommandParameters) -> Iterator[Problem]:
        """What to warn of where `scan` finds paths that can be none of the project's documents."""
        if not parameters.scan:
            return
        document = rendering.job.document
        key = (document, rendering.job.content_hash, parameters.scan)
        paths = self._unplaced.get(key, lambda: self._without_target(rendering, parameters), _UNPLACED)
        strays = stray(paths, rendering)
        remedy = "correct the path, which is relative to the document, or the rule's `scan`"
        yield from strays.warnings(document, "its rule's scan finds", remedy)

    def _without_target(self, rendering: Rendering, parameters: CommandParameters) -> tuple[str, ...]:
        """The paths that `scan` finds and that can mean no document."""
        document = rendering.job.document
        content = read_regular(f"{rendering.root}/{document}", document)
        found = find(parameters.scan, content.decode(errors="replace"), document)
        return tuple(path for _, path in found if self._target(document, path) is None)

    def _without_program(
        self, rendering: Rendering, parameters: CommandParameters, error: CannotStartError
    ) -> Rendered:
        place, document = rendering.rule_place, rendering.job.document
        program, fault = error.program, error.fault
        if not parameters.fallback:
            message = f"{document} needs the program {program!r}, which {fault.reason}"
            raise ProblemError(Problem(message, place.file, place.line, fault.remedy))
        fallback = rendering.locate("/" + parameters.fallback, place)
        content, _ = rendering.read(Dependency(fallback, Kind.INCLUDE, place.line), place)
        message = f"the program {program!r} {fault.reason}: {fallback} stands in"
        return rendering.finish(content, Problem(message, document, 0, fault.remedy))


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
        values, lines = self._values(), self.parameters.lines
        self._check_stem(values["stem"][0])
        filled = [
            (_line(word, values),) if index in lines else _arguments(word, values)
            for index, word in enumerate(self.parameters.words)
        ]
        if self.parameters.shell:
            return [_SHELL, "-c", *filled[0]]
        return [argument for arguments in filled for argument in arguments]

    def _check_stem(self, stem: str) -> None:
        """Raise ProblemError where a name would be read as an option, or as that of a list of arguments.

        A stem is a word and no path, so nothing can be written before it.
        """
        if stem[0] in "-@" and any(begins_word(word, "stem") for word in self.parameters.words):
            message = f"{self._program} could take its name for an option, since that begins with {stem[0]!r}"
            raise self._failure(message, "rename it, or write {stem} behind something, such as --name={stem}")

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

    def execute(self) -> Problem | None:
        """Run it to its end; what to warn of. Raises CannotStartError, and ProblemError where it fails."""
        argv = self.argv()
        try:
            clear(self.stage)
            ended = self._run(argv)
        except OSError as error:
            raise self._not_run(argv, error) from error
        if self._is_cut_off(ended.code):
            raise self._failure(*_too_large(self._program), ended.said)
        if ended.code:
            raise self._ended_badly(argv, ended.code, ended.said)
        if not is_regular(self.stage):
            remedy = "write the file that `{output}` names, or set `stdout = true` in the rule"
            raise self._failure(f"{self._program} ended well but wrote no output", remedy, ended.said)
        try:
            make_own(self.stage)
        except OSError as error:
            message, passing = f"its output can't be written: {error.strerror}", error.errno in PRESSING
            raise self._failure(message, remedy_for(error, "check .kahnd/"), passing=passing) from error
        return self._left(ended.left) if ended.left else None

    def _is_cut_off(self, code: int) -> bool:
        """Whether the limit on a file's size ended it, or stood in its way: then its output may not be whole."""
        if code in _CUT_OFF:
            return True
        bound = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        return bound != resource.RLIM_INFINITY and size_of(self.stage) >= bound

    def _left(self, names: tuple[str, ...]) -> Problem:
        """What to say of processes that outlived the program."""
        what = "a process" if len(names) == 1 else f"{len(names)} processes"
        shown = ", ".join((*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])))
        message = f"{self._program} left {what} running, which kahnd ended: {shown}"
        return Problem(message, self.rendering.job.document, 0, "let it wait for what it starts")

    def _not_run(self, argv: list[str], error: OSError) -> Exception:
        if error.errno == errno.E2BIG:
            size = sum(len(os.fsencode(each)) + 1 for each in argv)
            message = f"{self._program} can't be run: its arguments are too long ({size} bytes)"
            return self._failure(message, "let it read the names from a file, or match fewer dependencies")
        if fault := programs.fault(argv[0], self.rendering.root):
            return CannotStartError(argv[0], fault)
        message, passing = f"{self._program} can't be run: {error.strerror}", error.errno in PRESSING - {errno.EACCES}
        return self._failure(message, remedy_for(error, "correct the rule's `command`"), passing=passing)

    def _ended_badly(self, argv: list[str], code: int, said: str) -> Exception:
        if code not in _NOT_STARTED:
            return self._failure(_exit_message(self._program, code), _exit_remedy(code), said)
        if self.parameters.shell:
            return self._failure(_exit_message(self._program, code), self._remedy_in_line(argv[-1], code), said)
        fault = programs.fault(argv[0], self.rendering.root)  # `env` in its first line did not find an interpreter
        return (
            CannotStartError(argv[0], fault)
            if fault
            else self._failure(_exit_message(self._program, code), _exit_remedy(code), said)
        )

    def _remedy_in_line(self, line: str, code: int) -> str:
        """Which of the project's files in a shell's line can't be started, and what to do."""
        root = self.rendering.root
        try:
            words = [each for each in shlex.split(line) if "/" in each and os.path.isfile(root / each)]  # noqa: PTH113
        except ValueError:
            return _exit_remedy(code)
        found = ((word, fault) for word in words if (fault := programs.fault(word, root)))
        return next((f"{word} {fault.reason}: {fault.remedy}" for word, fault in found), _exit_remedy(code))

    def _run(self, argv: list[str]) -> Ended:
        os.chdir(self.rendering.root)  # where workers are, unless a plug-in has gone elsewhere
        stdout = open(self.stage, "wb") if self.parameters.stdout else nullcontext()  # noqa: PTH123, SIM115
        with stdout as output:
            return execute(argv, output.fileno() if output else None, self.environment)

    @property
    def _program(self) -> str:
        return "the shell's command" if self.parameters.shell else self.parameters.words[0]

    def _failure(self, message: str, remedy: str, detail: str = "", *, passing: bool = False) -> ProblemError:
        return ProblemError(Problem(message, self.rendering.job.document, 0, remedy, detail, passing))

    def check_depfile(self) -> None:
        """Raise ProblemError where the list of what was read is not there, though the rule asks for it."""
        if self.parameters.writes_depfile and not is_regular(self.rendering.root / self.depfile):
            message = f"{self._program} did not write its list of dependencies"
            raise self._failure(message, "write the file that `{depfile}` names, or leave it out")

    def note_discovered(self) -> Discovered:
        """Put the documents in the list of what was read, if there is one, into the account; the list is used up."""
        if not self.parameters.writes_depfile or not is_regular(depfile := self.rendering.root / self.depfile):
            return Discovered()
        document = self.rendering.job.document
        with depfile.open("rb") as file:
            text = file.read(MAX_DEPFILE + 1).decode(errors="replace")
        depfile.unlink()
        found = listed(dependencies(text), self.rendering)
        found.note(self.rendering)
        if found.untracked:
            found.leave_out(scripts.scripts(self.parameters, self.rendering.root))
        remedy = "list paths relative to the project or to the document's folder"
        warnings = [*found.warnings(document, "its program says that it read", remedy), *self._syntax(text)]
        return Discovered(tuple(found.files), tuple(warnings))

    def _syntax(self, text: str) -> Iterator[Problem]:
        document = self.rendering.job.document
        if len(text) > MAX_DEPFILE:
            message = f"the list of dependencies that {self._program} wrote is larger than {MAX_DEPFILE >> 20} MiB"
            yield Problem(f"{message}: its end is left out", document, remedy="list less")
        elif line := unread(text):
            message = f"{line[:_LINE_SHOWN]!r} in the list that {self._program} wrote is no rule of a Makefile"
            yield Problem(message, document, remedy="write `target: path…`, with a blank after the colon")


@dataclass(frozen=True)
class Discovered:
    """What a program told of: `files` that no earlier run did, and what of its list can't be used."""

    files: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()


def _operand(path: str) -> str:
    """The path as no program takes it for an option, an assignment, a scheme or a list of arguments."""
    return f"./{path}" if _ACTS.match(path) else path


def _line(line: str, values: dict[str, tuple[str, ...]]) -> str:
    """A line of shell: each value is a word."""
    return _fill(line, lambda name: " ".join(map(shlex.quote, values[name])))


def _arguments(word: str, values: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """One word of the rule's command as arguments: `{deps}` alone is as many as there are."""
    return values["deps"] if word == "{deps}" else (_fill(word, lambda name: " ".join(values[name])),)


def _fill(word: str, value: Callable[[str], str]) -> str:
    return PLACEHOLDER.sub(lambda match: value(match[1]), word)


def _too_large(program: str) -> tuple[str, str]:
    megabytes = resource.getrlimit(resource.RLIMIT_FSIZE)[0] >> 20
    return f"{program} wrote a file of more than {megabytes} MB", _ALLOW_MORE


def _exit_message(program: str, code: int) -> str:
    if code >= 0:
        return f"{program} failed with exit code {code}"
    return f"{program} was ended by signal {-code} ({signal.strsignal(-code)})"


def _exit_remedy(code: int) -> str:
    if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
        return "see whether it needs more memory than the machine has"
    return "a program in it was not found: install it" if code == _NOT_FOUND else "see what it said"
