"""The `command` renderer: a program of the user makes the output.

It runs in the process group of the worker, so cancelling the worker ends it too.
"""

from __future__ import annotations

import errno
import os
import posixpath
import resource
import shlex
import signal
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kahnd.core.hashing import cache_folder
from kahnd.core.model import Dependency, Digest, DocumentId, Failed, Job, Kind, Outcome, Problem, Rendered, Scan, Unmet
from kahnd.core.output_paths import stages
from kahnd.core.rules import Layout, resolve
from kahnd.platform.files import is_regular, lstat_or_none, remedy_for, remove_any
from kahnd.ports import PRESSING
from kahnd.render.cache import Cache
from kahnd.render.context import RenderContext, UnmetError
from kahnd.render.files import ProblemError, place_of, read_regular
from kahnd.render.programs.inputs import CacheFolder, IncludedFiles, InputGuard
from kahnd.render.programs.placeholders import PLACEHOLDER, begins_word, filled_line, filled_word, operand
from kahnd.render.programs.process import (
    MAX_DETAIL,
    NOT_STARTED,
    CannotStartError,
    ProcessResult,
    execute,
    exit_message,
    exit_remedy,
    file_of,
    position,
    start_fault,
    warnings,
)
from kahnd.render.programs.project_code import script_files, scripts_fingerprint
from kahnd.render.programs.reported_paths import (
    dependencies,
    first_unreadable_line,
    resolve_reported,
    unresolved_paths,
)
from kahnd.render.renderers.parameters import CommandParameters
from kahnd.render.scan.expressions import find

_FILE_SIZE_EXITS: Final = frozenset({-signal.SIGXFSZ, 128 + signal.SIGXFSZ})
"""The exit codes of a program that exceeds the limit on file size, and of a shell that ran it."""
_ALLOW_MORE: Final = "let it write less, or allow more with output_mb in [pool]"
_SHELL: Final = "/bin/sh"
_UNRESOLVED_WEIGHT: Final = 512
"""The estimated bytes of the unresolved paths of one document, which mostly has none."""
_SHOWN: Final = 5
"""The limit on processes named in a message."""
_LINE_SHOWN: Final = 60
MAX_DEPFILE: Final = 16 * 1024 * 1024


class CommandRenderer:
    """Runs commands; caches the environment for programs, and the references in files that documents include."""

    name = "command"
    version = "3"
    judges_missing = False
    parameters = CommandParameters

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._layout = layout
        self._included_files = IncludedFiles()
        self._unresolved_paths: Cache[tuple[DocumentId, Digest, tuple[str, ...]], tuple[str, ...]] = Cache(
            10_000, 8 << 20
        )
        self._environment = dict(os.environ)  # a copy, since os.environ decodes each value when it is read

    def fingerprint(self, parameters: CommandParameters) -> str:
        """The hashes of the project's scripts that it runs, and whether the program can start."""
        folder = parameters.fixed_folder
        scripts = scripts_fingerprint(parameters.words, self._root, shell=parameters.shell, folder=folder)
        return f"{scripts}{self._start_state(parameters)}"

    def _start_state(self, parameters: CommandParameters) -> str:
        program = parameters.words[0]
        if parameters.shell or PLACEHOLDER.search(program) or not start_fault(program, self._root):
            return ""
        return " fallback" if parameters.fallback else " absent"

    def scan(self, document: DocumentId, content: bytes, parameters: CommandParameters) -> Scan:
        """The paths that the rule's expressions find, all as declared dependencies, rendered or not."""
        found = find(parameters.scan, content.decode(errors="replace"), document)
        placed = ((self._target(document, path), line) for line, path in found)
        return Scan(tuple(dict.fromkeys(Dependency(each, Kind.DECLARED, line) for each, line in placed if each)))

    def _target(self, document: DocumentId, path: str) -> DocumentId | None:
        """The document that a path in a document means; or the output, which another document renders to."""
        target = resolve(path, document)
        if target is None:
            return None
        at_top = resolve(f"/{path}", document)  # outputs are mostly named relative to the project
        if at_top and self._layout.is_output(at_top):
            return DocumentId(at_top)
        followed = self._layout.is_output(target) or self._layout.source_of(target) is not None
        return DocumentId(target) if followed else None

    def render(self, job: Job, parameters: CommandParameters) -> Outcome:
        """Run the command; if the program can't start, use the rule's fallback."""
        if not parameters.keeps_cache:
            return self._attempt(job, parameters)
        recipe = self._layout.rules[job.rule].recipe or ""
        kept_for = self._layout.rendering_by(job.document, job.rule)
        return CacheFolder(self._root, kept_for, recipe).run(lambda: self._attempt(job, parameters))

    def _attempt(self, job: Job, parameters: CommandParameters) -> Outcome:
        rendering = RenderContext(self._root, self._layout, job)
        try:
            return self._produce(rendering, parameters)
        except UnmetError as error:
            return Unmet(error.needs, error.problem, rendering.reads)
        except ProblemError as error:
            return Failed(error.problem, rendering.reads)

    def _produce(self, rendering: RenderContext, parameters: CommandParameters) -> Rendered:
        run = Run(rendering, parameters, self._environment)
        more = self._included_files.follow(rendering, parameters.scan) if parameters.scan else ()
        given = resolve_reported(parameters.deps, rendering)
        given.record(rendering)
        guard, failure = InputGuard(rendering, (*more, *given.files)), None
        try:
            run.execute()
            run.check_depfile()
        except CannotStartError as error:
            run.note_discovered()
            return self._without_program(rendering, parameters, error)
        except ProblemError as error:
            failure = error
        read = run.note_discovered()  # also after a failure, which a change of these may repair
        guard.check(read)  # inputs that changed meanwhile may be the reason of a failure
        if failure:
            raise failure
        of_deps = given.warnings(rendering.job.document, "its rule's deps name", "correct the rule's `deps`")
        for each in (*self._unresolved_path_warnings(rendering, parameters), *of_deps):
            rendering.warn(each)
        return rendering.collect()

    def _unresolved_path_warnings(self, rendering: RenderContext, parameters: CommandParameters) -> Iterator[Problem]:
        """Warnings of paths that `scan` finds and that are no documents of the project."""
        if not parameters.scan:
            return
        document = rendering.job.document
        key = (document, rendering.job.content_hash, parameters.scan)
        paths = self._unresolved_paths.get(
            key, lambda: self._without_document(rendering, parameters), _UNRESOLVED_WEIGHT
        )
        unresolved = unresolved_paths(paths, rendering)
        remedy = "correct the path, which is relative to the document, or the rule's `scan`"
        yield from unresolved.warnings(document, "its rule's scan finds", remedy)

    def _without_document(self, rendering: RenderContext, parameters: CommandParameters) -> tuple[str, ...]:
        """The paths that `scan` finds and that mean no document."""
        document = rendering.job.document
        content = read_regular(f"{rendering.root}/{rendering.documents.place_of(document)}", document)
        found = find(parameters.scan, content.decode(errors="replace"), document)
        return tuple(path for _, path in found if self._target(document, path) is None)

    def _without_program(
        self, rendering: RenderContext, parameters: CommandParameters, error: CannotStartError
    ) -> Rendered:
        location, document = rendering.rule_location, rendering.job.document
        program, fault = error.program, error.fault
        if not parameters.fallback:
            message = f"{document} needs the program {program!r}, which {fault.reason}"
            raise ProblemError(Problem(message, location.file, location.line, fault.remedy))
        fallback = rendering.locate("/" + parameters.fallback, location)
        content, _ = rendering.read(Dependency(fallback, Kind.INCLUDE, location.line), location)
        message = f"the program {program!r} {fault.reason}: {fallback} stands in"
        rendering.warn(Problem(message, document, 0, fault.remedy))
        return rendering.finish(content)


@dataclass(frozen=True)
class Run:
    """One run of a command for a document."""

    rendering: RenderContext
    parameters: CommandParameters
    environment: Mapping[str, str]

    @property
    def stage(self) -> str:
        """The path of the output, absolute."""
        return f"{self.rendering.root}/{self.rendering.job.stage}"

    @property
    def folder(self) -> str:
        """The project path of the folder that the command runs in; "" for the project's own."""
        return self.parameters.folder_of(self.rendering.job.document)

    @property
    def depfile(self) -> str:
        """The path of the list of what the command reads, relative to the project."""
        return self.rendering.job.stage + ".d"

    def argv(self) -> list[str]:
        """The program and its arguments, with placeholders filled in."""
        values, lines = self._values(), self.parameters.lines
        self._check_stem(values["stem"][0])
        filled = [
            (filled_line(word, values),) if index in lines else filled_word(word, values)
            for index, word in enumerate(self.parameters.words)
        ]
        if self.parameters.shell:
            return [_SHELL, "-c", *filled[0]]
        return [argument for arguments in filled for argument in arguments]

    def _check_stem(self, stem: str) -> None:
        """Raise ProblemError if the program could take a stem for an option or a file of arguments.

        `./` protects paths, but a stem is no path.
        """
        if stem[0] in "-@" and any(begins_word(word, "stem") for word in self.parameters.words):
            message = f"{self._program} could take its name for an option, since that begins with {stem[0]!r}"
            raise self._failure(message, "rename it, or write {stem} behind something, such as --name={stem}")

    def _values(self) -> dict[str, tuple[str, ...]]:
        job = self.rendering.job
        folder, name = posixpath.split(job.document)
        return {
            "source": (operand(self._from_folder(place_of(self.rendering.root, job.document))),),
            "output": (self._from_folder(job.stage),),
            "outputs": tuple(map(self._from_folder, stages(job))),
            "deps": tuple(operand(self._from_folder(each)) for each in self._given()),
            "dir": (operand(self._from_folder(folder or ".")),),
            "stem": (posixpath.splitext(name)[0],),
            "root": (str(self.rendering.root),),
            "depfile": (self._from_folder(self.depfile),),
            "cache": (self._from_folder(cache_folder(self.rendering.id)),),
        }

    def _from_folder(self, path: str) -> str:
        """A project path as the command has to name it."""
        return posixpath.relpath(path, self.folder) if self.folder else path

    def _given(self) -> Iterator[str]:
        """The files of dependencies that the document's text names; a fresh build does not know others yet."""
        job = self.rendering.job
        discovered = frozenset(job.discovered)
        return (path for path, target in zip(job.deps, job.targets, strict=True) if target not in discovered)

    def execute(self) -> None:
        """Run the command, and note its warnings. Raises CannotStartError, and ProblemError if it fails."""
        argv = self.argv()
        try:
            remove_any(self.stage)
            self.rendering.staged.prepare()
            result = self._run(argv)
        except OSError as error:
            raise self._start_error(argv, error) from error
        written = lstat_or_none(self.stage)
        if self._hit_size_limit(result.code, written):
            megabytes = resource.getrlimit(resource.RLIMIT_FSIZE)[0] >> 20
            message = f"{self._program} wrote a file of more than {megabytes} MB"
            raise self._failure(message, _ALLOW_MORE, result.output)
        if result.code:
            raise self._exit_error(argv, result.code, result.output)
        if absent := self.rendering.staged.absent():
            several = self.rendering.makes_several
            what = f"did not write {', '.join(absent)}" if several else "wrote no output"
            remedy = "" if several else ", or set `stdout = true` in the rule"
            remedy = f"write the file that `{{output}}` names{remedy}"
            raise self._failure(f"{self._program} ended well but {what}", remedy, result.output)
        self._note_warnings(result)

    def _note_warnings(self, result: ProcessResult) -> None:
        """Keep the lines of a successful program's output that warn of a place in the project."""
        for each in warnings(result.output, self.parameters.position, self._file_of):
            self.rendering.warn(Problem(each.message, each.file, each.line, column=each.column))
        if result.left_running:
            self.rendering.warn(self._left_running_warning(result.left_running))

    def _file_of(self, name: str) -> str | None:
        """The file of the project that the program's messages mean by a name."""
        folders = (self.folder, "", posixpath.dirname(self.rendering.job.document))
        return file_of(name, self.rendering.root, folders)

    def _hit_size_limit(self, code: int, written: os.stat_result | None) -> bool:
        """Tell whether the program ended at the limit on file size or reached it: its output may be incomplete."""
        if code in _FILE_SIZE_EXITS:
            return True
        bound = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        return bound != resource.RLIM_INFINITY and written is not None and written.st_size >= bound

    def _left_running_warning(self, names: tuple[str, ...]) -> Problem:
        """The warning of processes that outlived the program."""
        what = "a process" if len(names) == 1 else f"{len(names)} processes"
        shown = ", ".join((*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else [])))
        message = f"{self._program} left {what} running, which kahnd ended: {shown}"
        return Problem(message, self.rendering.job.document, 0, "let it wait for what it starts")

    def _start_error(self, argv: list[str], error: OSError) -> Exception:
        if error.errno == errno.E2BIG:
            size = sum(len(os.fsencode(each)) + 1 for each in argv)
            message = f"{self._program} can't be run: its arguments are too long ({size} bytes)"
            return self._failure(message, "let it read the names from a file, or match fewer dependencies")
        if fault := start_fault(argv[0], self.rendering.root):
            return CannotStartError(argv[0], fault)
        message, passing = f"{self._program} can't be run: {error.strerror}", error.errno in PRESSING - {errno.EACCES}
        return self._failure(message, remedy_for(error, "correct the rule's `command`"), passing=passing)

    def _exit_error(self, argv: list[str], code: int, output: str) -> Exception:
        if code not in NOT_STARTED:
            return self._own_failure(code, output)
        if self.parameters.shell:
            return self._failure(exit_message(self._program, code), self._remedy_in_line(argv[-1], code), output)
        fault = start_fault(argv[0], self.rendering.root)  # `env` in its first line may not have found an interpreter
        return (
            CannotStartError(argv[0], fault)
            if fault
            else self._failure(exit_message(self._program, code), exit_remedy(code), output)
        )

    def _own_failure(self, code: int, output: str) -> ProblemError:
        """The failure of a program that ran, at the position that its messages name."""
        message, remedy = exit_message(self._program, code), exit_remedy(code)
        found = position(output, self.parameters.position, self._file_of)
        if found is None:
            return self._failure(message, remedy, output)
        said = f"{message}: {found.message}" if found.message else message
        detail = output[-MAX_DETAIL:]
        return ProblemError(Problem(said, found.file, found.line, remedy, detail, column=found.column))

    def _remedy_in_line(self, line: str, code: int) -> str:
        """The remedy for a line of shell that names a file of the project which can't start."""
        root = self.rendering.root
        try:
            words = [each for each in shlex.split(line) if "/" in each and os.path.isfile(root / each)]  # noqa: PTH113
        except ValueError:
            return exit_remedy(code)
        found = ((word, fault) for word in words if (fault := start_fault(word, root)))
        return next((f"{word} {fault.reason}: {fault.remedy}" for word, fault in found), exit_remedy(code))

    def _run(self, argv: list[str]) -> ProcessResult:
        try:
            os.chdir(f"{self.rendering.root}/{self.folder}")  # a plug-in may have changed the worker's folder
        except OSError as error:
            message = f"{self._program} can't be run in {self.folder or 'the project'}: {error.strerror}"
            raise self._failure(message, "create the folder, or correct the rule's `cwd`") from error
        if self.folder and "/" in argv[0]:
            argv = [f"{self.rendering.root / argv[0]}", *argv[1:]]
        stdout = open(self.stage, "wb") if self.parameters.stdout else nullcontext()  # noqa: PTH123, SIM115
        with stdout as output:
            return execute(argv, output.fileno() if output else None, self.environment)

    @property
    def _program(self) -> str:
        return "the shell's command" if self.parameters.shell else self.parameters.words[0]

    def _failure(self, message: str, remedy: str, output: str = "", *, passing: bool = False) -> ProblemError:
        return ProblemError(Problem(message, self.rendering.job.document, 0, remedy, output[-MAX_DETAIL:], passing))

    def check_depfile(self) -> None:
        """Raise ProblemError if the rule asks for a list of what was read and the program wrote none."""
        if self.parameters.writes_depfile and not is_regular(self.rendering.root / self.depfile):
            message = f"{self._program} did not write its list of dependencies"
            raise self._failure(message, "write the file that `{depfile}` names, or leave it out")

    def note_discovered(self) -> tuple[str, ...]:
        """Record the documents in the list of what was read, and delete it; return the files that the job lacks."""
        if not self.parameters.writes_depfile or not is_regular(depfile := self.rendering.root / self.depfile):
            return ()
        document = self.rendering.job.document
        with depfile.open("rb") as file:
            text = file.read(MAX_DEPFILE + 1).decode(errors="replace")
        depfile.unlink()
        paths = resolve_reported(dependencies(text), self.rendering, self.folder)
        paths.record(self.rendering)
        if paths.outside_sources:
            given = self.parameters
            paths.ignore(script_files(given.words, self.rendering.root, shell=given.shell, folder=given.fixed_folder))
        remedy = "list paths relative to the project or to the document's folder"
        for each in (*paths.warnings(document, "its program says that it read", remedy), *self._syntax(text)):
            self.rendering.warn(each)
        return tuple(paths.files)

    def _syntax(self, text: str) -> Iterator[Problem]:
        document = self.rendering.job.document
        if len(text) > MAX_DEPFILE:
            message = f"the list of dependencies that {self._program} wrote is larger than {MAX_DEPFILE >> 20} MiB"
            yield Problem(f"{message}: its end is left out", document, remedy="list less")
        elif line := first_unreadable_line(text):
            message = f"{line[:_LINE_SHOWN]!r} in the list that {self._program} wrote is no rule of a Makefile"
            yield Problem(message, document, remedy="write `target: path…`, with a blank after the colon")
