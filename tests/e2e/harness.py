"""Drives `kahnd` on real projects: files in, exit codes, JSON, outputs and the log out.

Knows nothing of kahnd's insides. Waits on conditions; a deadline is only there to fail by.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from e2e import control, forked
from e2e.rules import toml

KAHND = str(Path(sys.executable).with_name("kahnd"))
DEADLINE_S = 180.0
"""So late only a machine that is very busy, or something that never comes."""
LIMIT_S = 300.0
"""The longest that a command may run."""
POLL_S = 0.02
TRACEBACK = "Traceback (most recent call last)"

T = TypeVar("T")


def eventually(condition: Callable[[], T], what: str, *, within_s: float = DEADLINE_S) -> T:
    """The condition's first true answer; fails with `what` when there is none in time."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return answer


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without settings that would change what kahnd does. No preview is served unless they ask."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KAHND_")}
    return plain | {"NO_COLOR": "1", "KAHND_SERVE__ENABLED": "false"} | dict(changes or {})


def below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path in it."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def processor_seconds(pid: int) -> float:
    """How long a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def opened_by(pid: int) -> Iterator[str]:
    """Yields what each descriptor of a process leads to."""
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            yield str(each.readlink())


def living_in(folder: Path) -> set[int]:
    """The processes whose current folder is this one: a daemon, its workers and their commands."""

    def lives_here(process: Path) -> bool:
        try:
            return (process / "cwd").samefile(folder) and "Z" not in (process / "stat").read_text().rpartition(")")[2]
        except OSError:
            return False

    return {int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and lives_here(each)}


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def told(self) -> str:
        """All it said."""
        return self.stdout + self.stderr

    @property
    def json(self) -> Any:
        """Its standard output, parsed."""
        return json.loads(self.stdout)


@dataclass(frozen=True)
class Gate:
    """Holds a command back until it is opened: lets a test act while something renders, for certain."""

    folder: Path

    def script(self, name: str = "it") -> str:
        """A shell script that says it has begun, waits for the gate, and writes its output."""
        wait = f"touch {self.folder}/begun-{name}\nwhile [ ! -e {self.folder}/open ]; do sleep 0.01; done\n"
        return f'{wait}echo {name} > "$1"\n'

    def reached(self, name: str = "*") -> None:
        """Return once that script, or any, runs."""
        eventually(lambda: list(self.folder.glob(f"begun-{name}")), f"{name} begins to render")

    def open(self) -> None:
        """Let all go on."""
        (self.folder / "open").touch()


@dataclass(frozen=True)
class Project:
    """A project folder, and the installed command at work on it."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    # Files

    def path(self, name: str) -> Path:
        return self.root / name

    def write(self, name: str, content: str | bytes = "") -> None:
        """Save as editors do: a new file, renamed into place, so that no half of it is ever seen."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.root.with_name(f"{self.root.name}.saving")
        fresh.write_bytes(content if isinstance(content, bytes) else content.encode())
        fresh.replace(path)

    def write_all(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            self.write(name, content)

    def append(self, name: str, text: str) -> None:
        self.write(name, self.read(name) + text)

    def configure(self, *rules: str, extra: str = "") -> None:
        self.write("kahnd.toml", toml(*rules, extra=extra))

    def read(self, name: str) -> str:
        return self.path(name).read_text()

    def remove(self, name: str) -> None:
        self.path(name).unlink()

    def exists(self, name: str) -> bool:
        return self.path(name).exists()

    def gate(self) -> Gate:
        folder = self.root.with_name(f"{self.root.name}.gate")
        folder.mkdir(exist_ok=True)
        return Gate(folder)

    # Commands

    def kahnd(
        self, *words: str, code: int | None = 0, within_s: float = LIMIT_S, through: Sequence[str] = ()
    ) -> Finished:
        """Run `kahnd` to its end, by way of another command if given; `code` is its exit code (None: any)."""
        env = environment(self.env)
        if through or not forked.AT_START.isdisjoint(self.env):
            ended = subprocess.run(
                [*through, KAHND, *words],
                cwd=self.root,
                env=env,
                capture_output=True,
                text=True,
                timeout=within_s,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        else:
            ended = forked.run(words, cwd=self.root, env=env, timeout_s=within_s)
        finished = Finished(words, ended.returncode, ended.stdout, ended.stderr)
        assert code in (finished.code, None), (
            f"kahnd {' '.join(words)}: exit code {finished.code}, not {code}\n{finished.told}"
        )
        assert TRACEBACK not in finished.told, finished.told
        return finished

    def build(self, *words: str, code: int = 0, within_s: float = LIMIT_S) -> Any:
        """Returns the answer of `kahnd build --json`."""
        return self.kahnd("build", "--json", *words, code=code, within_s=within_s).json

    def status(self, code: int | None = 0) -> Any:
        """Returns the answer of `kahnd status --json`; a running daemon is asked directly."""
        told = control.status(self.root) if code in {0, None} else None
        return told or self.kahnd("status", "--json", code=code).json

    def wait(self, *words: str, code: int | None = 0, within_s: float = LIMIT_S) -> Any:
        """Returns the answer of `kahnd wait --json`; a running daemon is asked directly if success is expected."""
        told = None if words or code else control.wait(self.root, within_s=within_s)
        if told is None:
            return self.kahnd("wait", "--json", *words, code=code, within_s=within_s).json
        assert code is None or control.is_clean(told), f"not all is well: {told}"
        return told

    def graph(self, *words: str) -> Any:
        return self.kahnd("graph", "--format", "json", *words).json

    def daemon(self, *, settled: bool = True) -> Daemon:
        return Daemon(self, settled=settled)

    def begin(self, *words: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a command and let it run; the caller ends it."""
        return subprocess.Popen(
            [KAHND, *words],
            cwd=self.root,
            env=environment(self.env),
            stdout=stdout,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    # Outputs

    def outputs(self) -> dict[str, bytes]:
        """Every output, by its path in the output folder."""
        return below(self.path("site"))

    def output(self, name: str) -> str:
        return self.read(f"site/{name}")

    def fresh_copy(self) -> Project:
        """A copy of this tree that was never built."""
        copy = Project(self.root.with_name(f"{self.root.name}.fresh"), self.env)
        shutil.rmtree(copy.root)
        shutil.copytree(self.root, copy.root, ignore=shutil.ignore_patterns(".kahnd", "site"))
        return copy

    def fresh_outputs(self) -> dict[str, bytes]:
        """Returns the outputs of a build of this tree in an empty folder."""
        copy = self.fresh_copy()
        copy.build()
        return copy.outputs()

    # The log

    def log(self, event: str = "", since: int = 0) -> list[dict[str, Any]]:
        """The log's entries after the first `since`; of one event, if named."""
        path = self.path(".kahnd/log/kahnd.jsonl")
        text = path.read_text() if path.exists() else ""
        assert TRACEBACK not in text, text
        whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        entries = [json.loads(line) for line in whole[since:]]
        return [each for each in entries if event in ("", each["event"])]

    def mark(self) -> int:
        """A point in the log, for `since`."""
        return len(self.log())

    def rendered(self, since: int = 0) -> list[str]:
        """The documents rendered after that point, in order of their names; one rendered twice stands there twice."""
        return sorted(each["document"] for each in self.log("document.rendered", since))

    @contextmanager
    def renders(self, *documents: str, code: int = 0) -> Iterator[None]:
        """With a daemon running: what is done inside makes exactly these documents be rendered, once each.

        `code` is what `wait` says at the end.
        """
        mark = self.mark()
        yield
        self.wait(code=code)
        assert self.rendered(mark) == sorted(documents)


@dataclass(frozen=True)
class Corner:
    """A folder of its own in a running daemon's project; names are relative to it."""

    project: Project
    name: str

    def document(self, name: str) -> str:
        return f"docs/{self.name}/{name}"

    def path(self, name: str) -> Path:
        return self.project.path(self.document(name))

    def write(self, name: str, content: str | bytes = "") -> None:
        self.project.write(self.document(name), content)

    def write_all(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            self.write(name, content)

    def remove(self, name: str) -> None:
        self.path(name).unlink()

    def wait(self, code: int = 0) -> Any:
        return self.project.wait(code=code)

    def renders(self, *names: str, code: int = 0) -> AbstractContextManager[None]:
        """As a project's; nothing else in it may be rendered either."""
        return self.project.renders(*map(self.document, names), code=code)

    def output(self, name: str) -> str:
        return self.project.output(f"{self.name}/{name}")

    def outputs(self) -> dict[str, bytes]:
        return below(self.project.path(f"site/{self.name}"))


class Daemon:
    """`kahnd run` in a process of its own; leaving the block ends it and checks that it went well."""

    def __init__(self, project: Project, *, settled: bool) -> None:
        self.project = project
        self._settled = settled
        self._output = project.root.with_name(f"{project.root.name}.run")

    def __enter__(self) -> Self:
        mark = self.project.mark()
        self._process = self._started()
        try:
            self._await_start(mark)
        except BaseException as error:
            self._fail(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._fail(error)
        elif self._process.returncode is None:
            self.stop()

    def _started(self) -> subprocess.Popen[bytes] | forked.Started:
        env = environment(self.project.env)
        with self._output.open("wb") as output:
            if forked.AT_START.isdisjoint(self.project.env):
                return forked.start(("run",), cwd=self.project.root, env=env, output=self._output)
            return subprocess.Popen(
                [KAHND, "run"],
                cwd=self.project.root,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def told(self) -> str:
        """All it wrote to its standard output and error so far."""
        return self._output.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM, code: int = 0) -> None:
        """End it by a signal; it must go with that exit code, without a traceback."""
        self.send(how)
        self.ends(code)

    def send(self, what: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(what)

    def ends(self, code: int) -> None:
        """Wait until it has ended: with that exit code, and without a traceback."""
        try:
            ended = self._process.wait(DEADLINE_S)
            assert ended == code, f"the daemon ended with {ended}, not {code}"
            assert TRACEBACK not in self.told
        except BaseException as error:
            self._fail(error)
            raise

    def kill(self) -> None:
        """End it by kill -9, the daemon alone; returns when its workers are gone too."""
        self._process.kill()
        self._process.wait()
        eventually(lambda: not living_in(self.project.root), "what the killed daemon left behind ends")

    def _await_start(self, mark: int) -> None:
        # Asking costs more than looking: only what has started is asked.
        eventually(
            lambda: self._lives() and self.project.log("daemon.started", mark), "the daemon starts", within_s=DEADLINE_S
        )
        states = {"idle", "degraded"} if self._settled else {"scanning", "rendering", "idle", "degraded"}
        eventually(lambda: self._state() in states, f"the daemon's state is one of {states}")

    def _lives(self) -> bool:
        assert self._process.poll() is None, f"the daemon ended by itself with {self._process.returncode}"
        return True

    def _state(self) -> str:
        self._lives()
        if answer := control.status(self.project.root):
            return str(answer["state"])
        if self.project.exists(".kahnd/control.sock"):
            return "stopped"
        told = self.project.kahnd("status", "--json", code=None, within_s=DEADLINE_S)  # it finds a socket elsewhere
        return str(told.json["state"]) if told.code == 0 else "stopped"

    def _fail(self, error: BaseException) -> None:
        self._process.kill()
        self._process.wait()
        error.add_note(f"--- the daemon said:\n{self.told[-6000:]}")
